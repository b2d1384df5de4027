# HSG's SGD, with the rate inside the momentum as its authors have it; biases
# have twice the learning rate and no weight decay.
max_iters = 38000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='mmhierseg.SGD',
        lr=0.1,
        momentum=0.9,
        weight_decay=1e-4,
        rate_in_momentum=True),
    # All of them: MMEngine's `bias_lr_mult` leaves out those of normalisation
    # and of attention.
    constructor='mmhierseg.PatternOptimWrapperConstructor',
    paramwise_cfg=dict(
        patterns={'*bias': dict(lr_mult=2., decay_mult=0.)}))
param_scheduler = [
    # Full after 100 iterations: MMEngine is there one before `end`.
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=101),
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
