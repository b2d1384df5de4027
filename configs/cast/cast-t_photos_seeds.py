"""The quick start as in `cast-t_photos.py`, with SEEDS made in the loader.

Command:  python tools/train.py configs/cast/cast-t_photos_seeds.py
Hardware: 2 CPU cores, about two minutes.
Status:   reproduced, as `cast-t_photos.py`.
"""

_base_ = ['cast-t_photos.py']

model = dict(data_preprocessor=dict(superpixels=None))

superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(type='SEEDS', segment_size=8))
view_pipeline = [*_base_.view_pipeline, superpixels]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='MultiView', num_views=[2], transforms=[view_pipeline]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_pipeline = [
    *_base_.test_pipeline[:-1], superpixels, _base_.test_pipeline[-1]
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
