# HSG's SGD; biases have twice the learning rate and no weight decay.
max_iters = 38000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
    # All of them. `bias_lr_mult` would leave out those of normalisation and
    # of attention.
    paramwise_cfg=dict(
        custom_keys=dict(bias=dict(lr_mult=2, decay_mult=0))))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(
        type='MultiStepLR',
        # 32, 56 and 75 %.
        milestones=[12160, 21280, 28500],
        gamma=0.1,
        by_epoch=False),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=19000)
# For `--auto-scale-lr`: images, each with two views.
auto_scale_lr = dict(enable=False, base_batch_size=32)
