# Retrieval on KITTI-STEP, the 19 classes of Cityscapes: the memory bank from
# the training sequences, the test on those of validation.
_base_ = ['kitti_step.py']

bank_dataloader = dict(
    # Images of a batch must have the same size.
    batch_size=1,
    num_workers=4,
    dataset=dict(
        _base_.train_dataloader.dataset, pipeline=_base_.test_pipeline))

# Nothing is trained.
train_dataloader = None
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [
    dict(type='mmhierseg.MemoryBankHook', dataloader=bank_dataloader)
]
