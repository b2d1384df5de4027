r"""H-CAST-S on Living-17 of BREEDS: two levels, 34 classes of 17 kinds.

Paper:    H-CAST, ICLR 2025; table of BREEDS. The classes are the source
          classes of "BREEDS: Benchmarks for Subpopulation Shift", ICLR 2021.
Command:  bash tools/dist_train.sh \
              projects/hcast/configs/hcast-s_living-17.py 4
Hardware: 4 GPUs, 64 images each.
Data:     data/imagenet/{train,val}/<class>/<image>.JPEG, of which the 34
          classes are read.
Weights:  as in `hcast-s_cub.py`.
Status:   runs - trains and tests on small generated data in ImageNet's
          layout; not yet trained on Living-17 here.

For another set of BREEDS, or another choice of ImageNet's classes, write its
taxonomy as `taxonomies/living-17.json` is and change `taxonomy` and
`num_classes`. (The weights were trained on these images with labels.)
"""

_base_ = ['hcast-s_cub.py']

taxonomy = 'projects/hcast/taxonomies/living-17.json'
num_classes = 34

model = dict(
    data_preprocessor=dict(num_classes=num_classes),
    backbone=dict(out_indices=(2, 3)),
    head=dict(taxonomy=taxonomy))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmhierseg.TaxonomyFolder',
        data_root='data/imagenet',
        data_prefix='train',
        taxonomy=taxonomy,
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmhierseg.TaxonomyFolder',
        data_root='data/imagenet',
        data_prefix='val',
        taxonomy=taxonomy,
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(taxonomy=taxonomy)
test_evaluator = val_evaluator
