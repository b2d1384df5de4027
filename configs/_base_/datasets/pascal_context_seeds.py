# Pascal Context, 59 classes and the background, crops of 480 x 480, with SEEDS
# superpixels made in the loader: h * w / 256 of a crop of h x w, padding
# included. Test images have no superpixels: the backbone makes those of each
# window.
_base_ = ['mmseg::_base_/datasets/pascal_context.py']

superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS',
        segment_size=16,
        histogram_bins=5,
        num_iterations=15,
        # As published; see the option.
        inverted=True))
# The shorter side is 520; MMSegmentation's longer side is.
scale = (4160, 520)
# Before packing, the last step. Padding has the mean colour, 0 after
# normalisation.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    _base_.train_pipeline[1],
    dict(_base_.train_pipeline[2], scale=scale),
    *_base_.train_pipeline[3:-1],
    dict(
        type='Pad',
        size=_base_.crop_size[::-1],
        pad_val=dict(img=(104, 116, 124), seg=255)),
    superpixels,
    _base_.train_pipeline[-1],
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(_base_.test_pipeline[1], scale=scale),
    *_base_.test_pipeline[2:],
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
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
            [dict(type='PackSegInputs')],
        ]),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
