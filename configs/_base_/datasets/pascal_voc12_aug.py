# VOC 2012 with SBD (train_aug, 10582 images), crops of 512 x 512, measured by
# mIoU and boundary F-score, as in the paper of CAST.
_base_ = ['mmseg::_base_/datasets/pascal_voc12_aug.py']

# The last steps are padding and packing. Superpixels are the image's only: it
# is the data preprocessor that pads, and padding has no superpixel then.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    *_base_.train_pipeline[1:-2],
    _base_.train_pipeline[-1],
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    *_base_.test_pipeline[1:],
]
tta_pipeline = [dict(type='LoadImageFromFile'), _base_.tta_pipeline[1]]
train_dataloader = dict(
    dataset=dict(datasets=[
        dict(_base_.dataset_train, pipeline=train_pipeline),
        dict(_base_.dataset_aug, pipeline=train_pipeline),
    ]))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmhierseg.BoundaryFScore'),
]
test_evaluator = val_evaluator
