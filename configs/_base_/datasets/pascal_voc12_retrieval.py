# Retrieval on VOC 2012: the memory bank from train_aug (10582 images), the
# test on val. Images keep their shape; the longer side becomes 512, the
# shorter one is truncated. Values are not rounded to 8 bits.
_base_ = ['mmseg::_base_/datasets/pascal_voc12_aug.py']

load = dict(type='LoadImageFromFile', to_float32=True)
resize = dict(type='mmhierseg.ResizeOwnSize', longer_side=512)
test_pipeline = [
    load,
    resize,
    # After resizing: what is measured has the original size.
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
# Classes of the bank's segments are those of the resized ground truth.
bank_pipeline = [
    load,
    dict(type='LoadAnnotations'),
    resize,
    dict(type='PackSegInputs'),
]
bank_datasets = [
    dict(_base_.dataset_train, pipeline=bank_pipeline),
    dict(_base_.dataset_aug, pipeline=bank_pipeline),
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
