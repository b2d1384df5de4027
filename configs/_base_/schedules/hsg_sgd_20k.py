# The second stage on COCO: what is new, all of the head, learns ten times
# faster than what the first one has trained.
_base_ = ['hsg_sgd.py']

max_iters = 20000
head_bias = dict(lr_mult=20, decay_mult=0)
optim_wrapper = dict(
    optimizer=dict(lr=8e-3),
    # Of the keys that are part of a parameter's name, the longest counts.
    paramwise_cfg=dict(
        custom_keys={
            'head.': dict(lr_mult=10),
            # All biases of the head, which only it has.
            'in_proj_bias': head_bias,
            'out_proj.bias': head_bias,
            'linear1.bias': head_bias,
            'linear2.bias': head_bias,
            'norm.bias': head_bias,
            'target.3.bias': head_bias,
        }))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(
        type='MultiStepLR',
        # 32, 56 and 75 %.
        milestones=[6400, 11200, 15000],
        gamma=0.1,
        by_epoch=False),
]
train_cfg = dict(max_iters=max_iters, val_interval=10000)
auto_scale_lr = dict(base_batch_size=48)
