# HSG's two views of part-whole scenes, made when they are asked for, and their
# over-segmentation: nothing is read. Small views, so that a CPU keeps up.
# Evaluated by retrieval on other scenes, 13 classes.
_base_ = ['hsg_views.py']

crop_size = (96, 96)
# Of scenes: as wide as they are high.
scene_size = (128, 128)
view_pipeline = [
    *_base_.view_pipeline[:2],
    dict(_base_.view_pipeline[2], size=crop_size),
    dict(_base_.view_pipeline[3], crop_size=crop_size),
    *_base_.view_pipeline[4:],
]
train_pipeline = [
    dict(type='mmhierseg.GenerateOverSegmentation'),
    dict(
        type='mmpretrain.MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='mmpretrain.PackInputs'),
]
test_pipeline = [dict(type='mmseg.PackSegInputs')]

scenes = dict(
    type='mmhierseg.PartWholeScenes', size=scene_size, task='segmentation')
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(scenes, num_scenes=2400, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        scenes, num_scenes=120, split='val', pipeline=test_pipeline))
test_dataloader = val_dataloader
bank_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(scenes, num_scenes=480, pipeline=test_pipeline))

val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmhierseg.NFCovering'),
]
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [
    dict(type='mmhierseg.MemoryBankHook', dataloader=bank_dataloader)
]
