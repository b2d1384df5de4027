# 216 epochs of Cityscapes' 2975 images by 8: 2975 * 216 / 8 iterations.
_base_ = ['segmenter_sgd.py']

max_iters = 80325
optim_wrapper = dict(optimizer=dict(lr=1e-2))
param_scheduler = [
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=1e-5,
        by_epoch=False,
        begin=0,
        end=max_iters)
]
train_cfg = dict(max_iters=max_iters, val_interval=5355)
