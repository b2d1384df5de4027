# Tuning for some minutes: all models on the same images in the same order.
_base_ = ['../scenes.py']

num_iters, warmup_iters = 256, 32
embed_dims = 64

model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        size=_base_.size,
        superpixels=_base_.superpixels,
        **_base_.normalisation),
    backbone=dict(
        type='mmhierseg.CAST',
        arch=dict(embed_dims=embed_dims, depths=(1, 1, 1, 1), num_heads=4),
        img_size=128,
        num_clusters=(32, 16, 8, 4),
        out_type='segments'),
    decode_head=dict(
        type='mmhierseg.SegmentFCNHead',
        in_channels=embed_dims,
        channels=embed_dims,
        num_classes=_base_.num_classes),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))

train_pipeline = [
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(_base_.scenes, pipeline=train_pipeline))

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.,
        bias_decay_mult=0.,
        custom_keys=dict(decode_head=dict(lr_mult=4.))),
    clip_grad=dict(max_norm=1.))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        by_epoch=False,
        begin=0,
        end=warmup_iters),
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=0.,
        by_epoch=False,
        begin=0,
        end=num_iters),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=num_iters)
default_hooks = dict(checkpoint=dict(interval=num_iters, max_keep_ckpts=1))
