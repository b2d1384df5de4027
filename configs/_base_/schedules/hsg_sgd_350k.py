# The first stage on COCO: longer, with larger batches.
_base_ = ['hsg_sgd.py']

max_iters = 350000
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(
        type='MultiStepLR',
        # 32, 56 and 75 %.
        milestones=[112000, 196000, 262500],
        gamma=0.1,
        by_epoch=False),
]
train_cfg = dict(max_iters=max_iters, val_interval=50000)
auto_scale_lr = dict(base_batch_size=128)
