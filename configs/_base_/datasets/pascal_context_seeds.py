# Pascal Context, 59 classes and the background, crops of 480 x 480, with SEEDS
# superpixels made in the loader: h * w / 256 of a crop of h x w.
_base_ = ['mmseg::_base_/datasets/pascal_context.py']

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
            [
                dict(type='Resize', scale_factor=r, keep_ratio=True)
                for r in [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
            ],
            [
                dict(type='RandomFlip', prob=0., direction='horizontal'),
                dict(type='RandomFlip', prob=1., direction='horizontal'),
            ],
            [dict(type='LoadAnnotations')],
            [superpixels],
            [dict(type='PackSegInputs')],
        ]),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
