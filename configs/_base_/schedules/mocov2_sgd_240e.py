# Of KITTI-STEP: as many images as HSG sees in its 38k iterations.
_base_ = ['mocov2_sgd_200e.py']

max_epochs = 240
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        by_epoch=True,
        begin=0,
        end=max_epochs)
]
train_cfg = dict(max_epochs=max_epochs)
