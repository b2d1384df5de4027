# SGD for HSG; biases have twice the learning rate and no weight decay.
# Rates of the whole batch, of all GPUs.
max_iters = 20000
lr = 8e-3
bias = dict(lr_mult=2, decay_mult=0)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=1e-4),
    # Not `bias_lr_mult`, which leaves out those of BN and of attention.
    paramwise_cfg=dict(custom_keys=dict(bias=bias)))

# x 0.1 at 32, 56 and 75 %.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(
        type='MultiStepLR',
        milestones=[6400, 11200, 15000],
        gamma=0.1,
        by_epoch=False),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
