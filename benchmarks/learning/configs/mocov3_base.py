# What all models of this comparison share: MoCo v3 for some minutes on pairs
# of views that were drawn once (`views.py`), so that only the model differs.
_base_ = [
    '../../../configs/_base_/models/mocov3_cast-s.py',
    '../../../configs/_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmhierseg', 'benchmarks.learning.views'])

embed_dims = 64
num_iters, warmup_iters = 512, 64

model = dict(
    # Some hundred iterations do not leave the time to trail far behind.
    base_momentum=0.02,
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=embed_dims,
            depths=(1, 1, 1, 1),
            num_heads=4),
        img_size=128,
        num_clusters=(32, 16, 8, 4),
        # Of images without any, when it is measured; views come with theirs.
        superpixels=dict(type='TorchSLIC', segment_size=16),
        pool_drop_rate=0.),
    neck=dict(
        in_channels=embed_dims,
        hid_channels=512,
        out_channels=128),
    head=dict(
        predictor=dict(
            in_channels=128,
            hid_channels=512,
            out_channels=128)))

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmhierseg.PairedViews',
        data_root='work_dirs/learning_scenes/views',
        pipeline=[dict(type='PackInputs')]))

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0., bias_decay_mult=0.),
    clip_grad=dict(max_norm=1.))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-2,
        by_epoch=False,
        begin=0,
        end=warmup_iters),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        T_max=num_iters - warmup_iters,
        begin=warmup_iters,
        end=num_iters),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=num_iters)
default_hooks = dict(
    logger=dict(interval=40, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=160, max_keep_ckpts=1))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
