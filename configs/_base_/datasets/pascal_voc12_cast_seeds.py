# VOC 2012 with SBD as CAST's authors prepare it, with SEEDS superpixels made
# in the loader: 1024 of a padded crop, at half its resolution, and 1024 of a
# test image as it is, resized together with it.
_base_ = ['pascal_voc12_cast.py']

seeds = dict(type='SEEDS', histogram_bins=5, num_iterations=15)
# Before packing, the last step.
train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(
        type='mmhierseg.GenerateSuperpixels',
        superpixels=dict(num_segments=1024, half_resolution=True, **seeds),
        truncate=True),
    _base_.train_pipeline[-1],
]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(
        type='mmhierseg.GenerateSuperpixels',
        superpixels=dict(num_segments=1024, **seeds),
        attach=False),
    _base_.test_pipeline[1],
    dict(type='mmhierseg.AttachSegmentMap'),
    *_base_.test_pipeline[2:],
]
# Scales of the images, with superpixels of their own.
tta_pipeline = [
    _base_.tta_pipeline[0],
    dict(
        type='TestTimeAug',
        transforms=[
            *_base_.tta_pipeline[1]['transforms'][:-1],
            [
                dict(
                    type='mmhierseg.GenerateSuperpixels',
                    superpixels=dict(segment_size=16, **seeds))
            ],
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
