# PartImageNet's parts, with SEEDS superpixels made in the loader.
_base_ = ['part_imagenet.py']

superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS', segment_size=16, histogram_bins=5, num_iterations=15))
# Before packing, the last step.
train_pipeline = [
    *_base_.train_pipeline[:-1], superpixels, _base_.train_pipeline[-1]
]
test_pipeline = [
    *_base_.test_pipeline[:-1], superpixels, _base_.test_pipeline[-1]
]
tta_pipeline = [
    _base_.tta_pipeline[0],
    dict(
        type='TestTimeAug',
        transforms=[
            *_base_.tta_pipeline[1]['transforms'][:-1],
            [superpixels],
            _base_.tta_pipeline[1]['transforms'][-1],
        ]),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
