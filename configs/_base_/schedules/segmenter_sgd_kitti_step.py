# As Cityscapes', for the 5027 images of KITTI-STEP: 5027 * 216 / 8 iterations.
_base_ = ['segmenter_sgd_cityscapes.py']

max_iters = 135729
param_scheduler = [
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=1e-5,
        by_epoch=False,
        begin=0,
        end=max_iters)
]
train_cfg = dict(max_iters=max_iters, val_interval=15081)
