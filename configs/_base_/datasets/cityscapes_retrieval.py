# Retrieval on Cityscapes, 19 classes, at 1024 x 2048: the memory bank from the
# 2975 images of train, the test on the 500 of val.
_base_ = ['mmseg::_base_/datasets/cityscapes.py']

test_pipeline = [
    dict(type='LoadImageFromFile'),
    *_base_.test_pipeline[1:],
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
bank_dataloader = dict(
    # Images of a batch must have the same size.
    batch_size=1,
    num_workers=4,
    dataset=dict(_base_.train_dataloader.dataset, pipeline=test_pipeline))

# Nothing is trained.
train_dataloader = None
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [
    dict(type='mmhierseg.MemoryBankHook', dataloader=bank_dataloader)
]
