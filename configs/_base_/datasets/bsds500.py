# BSDS500, segmented by several people: for evaluation. `gt_segmentations` of a
# data sample holds a map for each annotator, (A, H, W).
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmhierseg.LoadHumanSegmentations'),
    dict(type='mmhierseg.PackHumanSegmentations'),
]
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmhierseg.BSDS500Dataset',
        data_root='data/bsds500',
        split='val',
        pipeline=test_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmhierseg.BSDS500Dataset',
        data_root='data/bsds500',
        split='test',
        pipeline=test_pipeline))
