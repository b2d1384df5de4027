"""A tiny CAST, pre-trained with MoCo v3 on a few photographs: the quick start.

Command:  bash tools/quickstart.sh, or, once the environment is there,
          python tools/dataset_converters/skimage_photos.py data/skimage_photos
          python tools/train.py configs/cast/cast-t_photos.py
Hardware: 2 CPU cores, about two minutes.
Data:     560 crops of the 14 photographs that scikit-image ships.
Status:   reproduced - the loss falls from 2.6 to 1.8, and by eye segments come
          to follow objects instead of their place in the image (the README's
          picture is of such a run). Features worth using need more data:
          see `cast-s_in1k.py`.

It differs from CAST-S in width, depth and image size (less than half).
Segments of 8 pixels are as small as a cell of the stem, so some would contain
no cell: features are averaged at pixel resolution instead.
"""

_base_ = [
    '../_base_/models/mocov3_cast-s.py',
    '../_base_/default_runtime.py',
]

max_epochs, warmup_epochs = 5, 1

model = dict(
    # Some hundred iterations do not leave the time to trail far behind.
    base_momentum=0.05,
    data_preprocessor=dict(
        superpixels=dict(type='TorchSLIC', segment_size=8)),
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=96,
            depths=(2, 2, 2, 1),
            num_heads=4),
        img_size=96,
        segment_at='pixel',
        pool_drop_rate=0.),
    neck=dict(in_channels=96, hid_channels=512, out_channels=128),
    head=dict(
        predictor=dict(
            in_channels=128, hid_channels=512, out_channels=128)))

# Small views, so that a CPU keeps up; blur is weaker in proportion.
view_pipeline = [
    dict(
        type='RandomResizedCrop',
        scale=96,
        crop_ratio_range=(0.2, 1.),
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.2,
                hue=0.1)
        ],
        prob=0.8),
    dict(
        type='RandomGrayscale',
        prob=0.2,
        keep_channels=True,
        channel_weights=(0.114, 0.587, 0.2989)),
    dict(
        type='GaussianBlur',
        magnitude_range=(0.1, 1.0),
        magnitude_std='inf',
        prob=0.5),
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MultiView', num_views=[2], transforms=[view_pipeline]),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='CustomDataset',
        data_root='data/skimage_photos',
        data_prefix='train',
        with_label=False,
        pipeline=train_pipeline))

# For features of single images; nothing is evaluated.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=110, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=96),
    dict(type='PackInputs'),
]
test_dataloader = dict(
    batch_size=32,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='CustomDataset', with_label=False, pipeline=test_pipeline))
test_cfg = dict()
test_evaluator = []

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=6e-3, weight_decay=0.05))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-2,
        by_epoch=True,
        begin=0,
        end=warmup_epochs,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - warmup_epochs,
        by_epoch=True,
        begin=warmup_epochs,
        end=max_epochs,
        convert_to_iter_based=True),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
auto_scale_lr = dict(base_batch_size=32)

default_hooks = dict(
    logger=dict(interval=5), checkpoint=dict(interval=1, max_keep_ckpts=2))
randomness = dict(seed=0)

# Defaults of `HierarchyInferencer` for this model: about as
# many superpixels as in training, at more than twice the resolution.
hierarchy_inferencer = dict(img_size=224, segment_size=16)
