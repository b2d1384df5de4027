# Segmenter's schedule: Nesterov's SGD without weight decay, polynomial from
# 1e-3 to 1e-5.
# 64 epochs of ADE20K's 20210 images by 8: 20210 * 64 / 8 iterations.
max_iters = 161680
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=1e-3, momentum=0.9, nesterov=True, weight_decay=0.))
param_scheduler = [
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=1e-5,
        by_epoch=False,
        begin=0,
        # MMEngine's polynomial ends an iteration before `end`.
        end=max_iters + 1)
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=16168)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# For `--auto-scale-lr`.
auto_scale_lr = dict(enable=False, base_batch_size=8)
