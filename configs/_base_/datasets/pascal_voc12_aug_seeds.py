# VOC 2012 with SBD, with SEEDS superpixels made in the loader: h * w / 256 of
# a crop of h x w, at half the resolution in training and at full resolution in
# testing, as published.
_base_ = ['pascal_voc12_aug.py']

seeds = dict(
    type='SEEDS', segment_size=16, histogram_bins=5, num_iterations=15)
superpixels = dict(type='mmhierseg.GenerateSuperpixels', superpixels=seeds)
# Before packing, the last step.
train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(
        type='mmhierseg.GenerateSuperpixels',
        superpixels=dict(half_resolution=True, **seeds)),
    _base_.train_pipeline[-1],
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
train_dataloader = dict(
    dataset=dict(datasets=[
        dict(_base_.dataset_train, pipeline=train_pipeline),
        dict(_base_.dataset_aug, pipeline=train_pipeline),
    ]))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
