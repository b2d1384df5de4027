# Retrieval on CamVid, 11 classes: the memory bank from the training frames, at
# two thirds of SegNet's size.
_base_ = ['camvid.py']

resize = dict(type='mmhierseg.ResizeOwnSize', longer_side=320)
load_image, load_annotations, pack = _base_.test_pipeline
test_pipeline = [load_image, resize, load_annotations, pack]
bank_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(
        _base_.train_dataloader.dataset,
        pipeline=[load_image, load_annotations, resize, pack]))
val_dataloader = dict(
    num_workers=2, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(
    num_workers=2, dataset=dict(pipeline=test_pipeline))

# Nothing is trained.
train_dataloader = None
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    # Every class is something that can be covered.
    dict(type='mmhierseg.NFCovering', background=None),
]
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [
    dict(type='mmhierseg.MemoryBankHook', dataloader=bank_dataloader)
]
