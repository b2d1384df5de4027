"""FCN on a small CAST, trained on pictures with masks.

Command:  python tools/train.py docs/examples/own_masks.py
Data:     data/own/masks/{img_dir,ann_dir}/{train,val}: pictures, and masks
          of the same names with a class in each pixel, 255 = not labelled.
Status:   runs on a few dozen pictures; see docs/own_masks.md. Change the
          lines marked CHANGE.
"""

_base_ = [
    'mmseg::_base_/models/fcn_r50-d8.py',
    '../../configs/_base_/default_runtime_seg.py',
]

data_root = 'data/own/masks'  # CHANGE
img_suffix, mask_suffix = '.jpg', '.png'  # CHANGE
classes = ['background', 'object']  # CHANGE: names of 0, 1, ...
palette = [[0, 0, 0], [220, 60, 60]]  # CHANGE: a colour for each
crop, batch_size, max_iters = 256, 8, 2000  # CHANGE: what the machine allows
checkpoint = None  # CHANGE: work_dirs/own_photos/epoch_14.pth, for example

norm_cfg = dict(type='BN')
sync_bn = 'torch'  # On several GPUs.
model = dict(
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        size=(crop, crop),
        superpixels=dict(type='TorchSLIC', segment_size=8)),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmhierseg.CAST',
        arch=dict(embed_dims=96, depths=(2, 2, 2, 1), num_heads=4),
        img_size=crop,
        num_clusters=(320, 160, 80, 40),
        out_type='featmap',
        out_indices=(2, 'fused')),
    decode_head=dict(
        in_channels=96,
        in_index=1,
        channels=96,
        num_classes=len(classes),
        norm_cfg=norm_cfg),
    auxiliary_head=dict(
        in_channels=96,
        in_index=0,
        channels=96,
        num_classes=len(classes),
        norm_cfg=norm_cfg))
if checkpoint is not None:
    model['backbone']['init_cfg'] = dict(
        type='Pretrained', checkpoint=checkpoint, prefix='backbone.')

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize',
        scale=(4 * crop, crop),
        ratio_range=(0.8, 1.5),
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=(crop, crop), cat_max_ratio=0.9),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(4 * crop, crop), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
dataset = dict(
    type='BaseSegDataset',
    data_root=data_root,
    metainfo=dict(classes=classes, palette=palette),
    img_suffix=img_suffix,
    seg_map_suffix=mask_suffix)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=2,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        **dataset,
        data_prefix=dict(
            img_path='img_dir/train', seg_map_path='ann_dir/train'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path='img_dir/val', seg_map_path='ann_dir/val'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=1.))
param_scheduler = dict(
    type='PolyLR', power=0.9, eta_min=0., begin=0, end=max_iters,
    by_epoch=False)
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=500)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(checkpoint=dict(interval=500))
