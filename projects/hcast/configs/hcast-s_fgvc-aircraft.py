r"""H-CAST-S on FGVC-Aircraft: variant, family and maker.

Paper:    H-CAST, ICLR 2025; table of FGVC-Aircraft, 30-70-100 classes.
Command:  bash tools/dist_train.sh \
              projects/hcast/configs/hcast-s_fgvc-aircraft.py 4
Hardware: 4 GPUs, 64 images each.
Data:     data/fgvc-aircraft-2013b/data/{images,images_variant_trainval.txt,
          images_variant_test.txt}
Weights:  as in `hcast-s_cub.py`.
Status:   runs - trains and tests on small generated data in the layout of
          FGVC-Aircraft; not yet trained on it here.

As `hcast-s_cub.py`, with twice the learning rate.
"""

_base_ = ['hcast-s_cub.py']

taxonomy = 'projects/hcast/taxonomies/fgvc-aircraft.json'
num_classes = 100

model = dict(
    data_preprocessor=dict(num_classes=num_classes),
    head=dict(taxonomy=taxonomy))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmhierseg.TaxonomyAircraft',
        data_root='data/fgvc-aircraft-2013b',
        split='trainval',
        taxonomy=taxonomy,
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmhierseg.TaxonomyAircraft',
        data_root='data/fgvc-aircraft-2013b',
        split='test',
        taxonomy=taxonomy,
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(taxonomy=taxonomy)
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=1e-3))
