# Retrieval on VOC 2012: the memory bank from train_aug (10582 images), the
# test on val. Images keep their shape; the longer side becomes 512.
_base_ = ['mmseg::_base_/datasets/pascal_voc12_aug.py']

test_pipeline = [
    dict(type='mmhierseg.LoadImage'),
    dict(type='Resize', scale=(512, 512), keep_ratio=True),
    # Behind Resize: what is measured is of the original size.
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
bank_datasets = [
    dict(_base_.dataset_train, pipeline=test_pipeline),
    dict(_base_.dataset_aug, pipeline=test_pipeline),
]
bank_dataloader = dict(
    # Images of a batch must have the same size.
    batch_size=1,
    num_workers=4,
    dataset=dict(type='ConcatDataset', datasets=bank_datasets))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# Nothing is trained.
train_dataloader = None
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmhierseg.BoundaryFScore'),
]
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [
    dict(type='mmhierseg.MemoryBankHook', dataloader=bank_dataloader)
]
