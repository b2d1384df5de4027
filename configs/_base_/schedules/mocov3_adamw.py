# MoCo v3's schedule for 100 epochs: 10 of linear warm-up, cosine to zero, both
# counted in iterations.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    dtype='float16',
    # Every parameter decays, biases and norm layers included.
    optimizer=dict(type='mmhierseg.AdamW', lr=1.5e-4, betas=(0.9, 0.999),
                   weight_decay=0.1))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4,
        by_epoch=True,
        begin=0,
        end=10,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=90,
        eta_min=0.,
        by_epoch=True,
        begin=10,
        end=100,
        convert_to_iter_based=True),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100)
# The total batch that the learning rate is for: `--auto-scale-lr` scales it
# linearly with another.
auto_scale_lr = dict(base_batch_size=256)
