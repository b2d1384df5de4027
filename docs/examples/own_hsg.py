"""HSG with a small ResNet-18 on pictures without labels; no validation.

Command:  python tools/dataset_converters/generate_oversegmentation.py \
              data/own/photos data/own/oversegmentation
          python tools/train.py docs/examples/own_hsg.py
Data:     data/own/photos, pictures of any size, also in subfolders.
Status:   runs on a few dozen pictures; see docs/own_hsg.md. Change the
          lines marked CHANGE.
"""

_base_ = [
    '../../configs/_base_/models/hsg_r50.py',
    '../../configs/_base_/datasets/hsg_views.py',
    '../../configs/_base_/schedules/hsg_sgd.py',
    '../../configs/_base_/default_runtime_seg.py',
]

photos = 'data/own/photos'  # CHANGE
maps = 'data/own/oversegmentation'  # CHANGE
crop, batch_size, max_iters = 224, 8, 4000  # CHANGE: what the machine allows

model = dict(
    # CHANGE: without these lines, the paper's ResNet-50.
    backbone=dict(
        depth=18, base_channels=32, stem_channels=32, multi_grid=(1, 2)),
    test_backbone=None,
    neck=dict(in_channels=256, out_channels=64),
    head=dict(
        in_channels=64,
        embed_dims=64,
        grouping_weight=0.2,
        centroid_weight=0.2,
        position_size=crop // 16),
    num_classes=1,  # Of an evaluation with labels.
    kmeans_clusters=(6, 6))

view_pipeline = [
    *_base_.view_pipeline[:2],
    dict(_base_.view_pipeline[2], size=(crop, crop)),
    dict(_base_.view_pipeline[3], crop_size=(crop, crop)),
    *_base_.view_pipeline[4:],
]
train_pipeline = [
    dict(type='mmhierseg.LoadImage', to_float32=True),
    dict(
        type='mmhierseg.LoadSegmentMap', map_prefix=maps, img_prefix=photos),
    dict(
        type='mmpretrain.MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='mmpretrain.PackInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmpretrain.CustomDataset',
        data_root=photos,
        with_label=False,
        pipeline=train_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.03))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(
        _base_.param_scheduler[1],
        milestones=[int(part * max_iters) for part in (0.32, 0.56, 0.75)]),
]
# Nothing to validate without labels.
train_cfg = dict(max_iters=max_iters)
val_cfg = val_dataloader = val_evaluator = None
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(checkpoint=dict(interval=500))
