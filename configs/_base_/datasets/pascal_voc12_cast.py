# VOC 2012 with SBD as CAST's authors prepare it, without superpixels: images
# of their own size times 0.5 to 1.5, sides truncated, without photometric
# changes; padded by the mean of the images (BGR), which is segmented like the
# rest. Tests are of a longer side of 512. Values are not rounded to 8 bits.
_base_ = ['pascal_voc12_aug.py']

load = dict(type='LoadImageFromFile', to_float32=True)
train_pipeline = [
    load,
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmhierseg.ResizeOwnSize', ratio_range=(0.5, 1.5)),
    dict(
        type='Pad',
        size=(512, 512),
        pad_val=dict(img=(103.53, 116.28, 123.675), seg=255)),
    dict(type='RandomCrop', crop_size=(512, 512)),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    load,
    dict(type='mmhierseg.ResizeOwnSize', longer_side=512),
    # After resizing: what is measured has the original size.
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(datasets=[
        dict(_base_.dataset_train, pipeline=train_pipeline),
        dict(_base_.dataset_aug, pipeline=train_pipeline),
    ]))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
