# MoCo v3's schedule for 200 epochs: 20 of linear warm-up, cosine to zero.
_base_ = ['mocov3_adamw.py']

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4,
        by_epoch=True,
        begin=0,
        end=20,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=180,
        eta_min=0.,
        by_epoch=True,
        begin=20,
        end=200,
        convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=200)
