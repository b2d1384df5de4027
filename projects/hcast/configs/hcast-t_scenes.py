r"""H-CAST-T on drawn scenes: 12 categories of 3 kinds.

Paper:    H-CAST, ICLR 2025; model, data and taxonomy are small and are not
          the paper's.
Command:  PYTHONPATH=. python tools/train.py \
              projects/hcast/configs/hcast-t_scenes.py
Hardware: 1 CPU core, about 2 minutes.
Data:     python tools/dataset_converters/make_part_whole_scenes.py \
              data/scenes --size 128 128 --typical-colors 1 \
              --train 3000 --val 600
Weights:  as in `hcast-t_imagenette.py`.
Status:   trained here, results in the README.

As `hcast-t_imagenette.py`. Parts have typical colours: without them, three
epochs from weights that were made for photographs learn nothing of the
categories.
"""

_base_ = ['hcast-t_imagenette.py']

taxonomy = 'projects/hcast/taxonomies/scenes.json'
num_classes = 12

model = dict(
    data_preprocessor=dict(num_classes=num_classes),
    head=dict(taxonomy=taxonomy))
train_dataloader = dict(
    dataset=dict(data_root='data/scenes', taxonomy=taxonomy))
val_dataloader = dict(
    dataset=dict(data_root='data/scenes', taxonomy=taxonomy))
test_dataloader = val_dataloader
val_evaluator = dict(taxonomy=taxonomy)
test_evaluator = val_evaluator
