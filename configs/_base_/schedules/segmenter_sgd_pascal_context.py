# 256 epochs of Pascal Context's 4998 images by 16: 4998 * 256 / 16 iterations.
_base_ = ['segmenter_sgd.py']

max_iters = 79968
param_scheduler = [
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=1e-5,
        by_epoch=False,
        begin=0,
        end=max_iters)
]
train_cfg = dict(max_iters=max_iters, val_interval=4998)
auto_scale_lr = dict(base_batch_size=16)
