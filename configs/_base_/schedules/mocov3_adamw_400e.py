# MoCo v3's schedule for 400 epochs: 40 of linear warm-up, cosine to zero.
_base_ = ['mocov3_adamw.py']

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4,
        by_epoch=True,
        begin=0,
        end=40,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=360,
        eta_min=0.,
        by_epoch=True,
        begin=40,
        end=400,
        convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=400)
