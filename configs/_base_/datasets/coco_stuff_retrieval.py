# Retrieval on COCO-Stuff (164k), 171 classes: the memory bank from the 118287
# images of train2017, the test on the 5000 of val2017. Images are resized as
# for VOC 2012: the longer side becomes 512, the shorter one is truncated.
_base_ = ['mmseg::_base_/datasets/coco-stuff164k.py']

load = dict(type='LoadImageFromFile', to_float32=True)
annotations = dict(type='LoadAnnotations')
resize = dict(type='mmhierseg.ResizeOwnSize', longer_side=512)
pack = dict(type='PackSegInputs')
# After resizing: what is measured has the original size.
test_pipeline = [load, resize, annotations, pack]
bank_dataloader = dict(
    # Images of a batch must have the same size.
    batch_size=1,
    num_workers=4,
    dataset=dict(
        _base_.train_dataloader.dataset,
        # Classes of the bank's segments are those of the resized ground truth.
        pipeline=[load, annotations, resize, pack]))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

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
