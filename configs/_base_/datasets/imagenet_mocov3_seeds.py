# Two views of an image, each with its SEEDS superpixels made in the loader.
_base_ = ['imagenet_mocov3.py']

superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS',
        num_segments=196,
        histogram_bins=15,
        num_iterations=20))
view_pipeline1 = [*_base_.view_pipeline1, superpixels]
view_pipeline2 = [*_base_.view_pipeline2, superpixels]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[view_pipeline1, view_pipeline2]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
