# Fine-tuning on VOC: 30000 iterations of 16 images, SGD; the head learns at 10
# times the rate, biases at twice the rate of their weights, undecayed.
max_iters = 30000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=3e-3, momentum=0.9, weight_decay=1e-4),
    # The longest key that is part of a parameter's name holds.
    paramwise_cfg=dict(
        custom_keys={
            '.bias': dict(lr_mult=2., decay_mult=0.),
            'decode_head': dict(lr_mult=10.),
            'decode_head.convs.0.bn.bias': dict(lr_mult=20., decay_mult=0.),
            'decode_head.conv_seg.bias': dict(lr_mult=20., decay_mult=0.),
        }))
# The warm-up is a factor to the polynomial, which begins with it.
param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=0.,
        by_epoch=False,
        begin=0,
        end=max_iters)
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=3000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# For `--auto-scale-lr`.
auto_scale_lr = dict(enable=False, base_batch_size=16)
