# Retrieval on VOC 2012 with SEEDS superpixels made in the loader, h * w / 256
# of an image of h x w, at full resolution, as for testing after fine-tuning.
_base_ = ['pascal_voc12_retrieval.py']

test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(
        type='mmhierseg.GenerateSuperpixels',
        superpixels=dict(
            type='SEEDS',
            segment_size=16,
            histogram_bins=5,
            num_iterations=15)),
    _base_.test_pipeline[-1],
]
bank_datasets = [
    dict(dataset, pipeline=test_pipeline) for dataset in _base_.bank_datasets
]
bank_dataloader = dict(dataset=dict(datasets=bank_datasets))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
custom_hooks = [
    dict(
        type='mmhierseg.MemoryBankHook',
        dataloader=dict(_base_.bank_dataloader,
                        dataset=dict(
                            type='ConcatDataset', datasets=bank_datasets)))
]
