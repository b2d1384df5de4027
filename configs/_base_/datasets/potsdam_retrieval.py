# Retrieval on Potsdam, 6 classes, in the tiles of 512 x 512 that
# MMSegmentation makes: the memory bank from those of train, the test on those
# of val. Tiles of another size are resized: the longer side becomes 512.
_base_ = ['mmseg::_base_/datasets/potsdam.py']

load = dict(type='LoadImageFromFile', to_float32=True)
annotations = dict(type='LoadAnnotations', reduce_zero_label=True)
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
