# Cityscapes, 19 classes, crops of 768 x 768, with SEEDS superpixels made in
# the loader: h * w / 256 of a crop of h x w, padding included. Test images
# have no superpixels: the backbone makes those of each window.
_base_ = ['mmseg::_base_/datasets/cityscapes_768x768.py']

superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS', segment_size=16, histogram_bins=5, num_iterations=15))
# Images keep their size; MMSegmentation's scale is (2049, 1025).
scale = (2048, 1024)
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
tta_pipeline = [dict(type='LoadImageFromFile'), _base_.tta_pipeline[1]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
