# Retrieval on VOC 2012 as HSG's authors resize images: float, to a longer side
# of 512, the shorter one truncated.
_base_ = ['pascal_voc12_retrieval.py']

test_pipeline = [
    dict(type='mmhierseg.LoadImage', to_float32=True),
    dict(type='mmhierseg.ResizeOwnSize', longer_side=512),
    # After resizing: what is measured has the original size.
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
bank_datasets = [
    dict(_base_.dataset_train, pipeline=test_pipeline),
    dict(_base_.dataset_aug, pipeline=test_pipeline),
]
bank_dataloader = dict(dataset=dict(datasets=bank_datasets))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
custom_hooks = [
    dict(
        type='mmhierseg.MemoryBankHook',
        dataloader=dict(
            _base_.bank_dataloader,
            dataset=dict(type='ConcatDataset', datasets=bank_datasets)))
]
