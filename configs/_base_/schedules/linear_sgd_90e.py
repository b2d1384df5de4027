# Linear probing for 90 epochs: SGD, no weight decay, cosine to zero, stepped
# once an epoch as in MoCo v3. A learning rate is 30 for a batch of 256 and
# scaled linearly: here for 1024.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=30 * 1024 / 256, momentum=0.9, weight_decay=0.))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=90,
        eta_min=0.,
        by_epoch=True,
        begin=0,
        end=90)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=90, val_interval=1)
val_cfg = dict()
test_cfg = dict()
# For `--auto-scale-lr`.
auto_scale_lr = dict(base_batch_size=1024)
