# Cityscapes, 19 classes, crops of 768 x 768, with SEEDS superpixels made in
# the loader: h * w / 256 of a crop of h x w.
_base_ = ['mmseg::_base_/datasets/cityscapes_768x768.py']

superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS', segment_size=16, histogram_bins=5, num_iterations=15))
# Before packing, the last step.
train_pipeline = [
    dict(type='mmhierseg.LoadImage'),
    *_base_.train_pipeline[1:-1], superpixels,
    _base_.train_pipeline[-1]
]
test_pipeline = [
    dict(type='mmhierseg.LoadImage'),
    *_base_.test_pipeline[1:-1], superpixels,
    _base_.test_pipeline[-1]
]
tta_pipeline = [
    dict(type='mmhierseg.LoadImage'),
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
