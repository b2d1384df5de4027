# Fine-tuning on VOC: 30000 iterations of 16 images, SGD with the rate inside
# the momentum; the head learns at 10 times the rate, biases at twice the rate
# of their weights, undecayed. The class token and the positions are fixed.
max_iters = 30000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='mmhierseg.SGD',
        lr=3e-3,
        momentum=0.9,
        weight_decay=1e-4,
        rate_in_momentum=True),
    constructor='mmhierseg.PatternOptimWrapperConstructor',
    paramwise_cfg=dict(
        patterns={
            '*bias': dict(lr_mult=2., decay_mult=0.),
            'decode_head.*': dict(lr_mult=10.),
            'backbone.cls_token': dict(lr_mult=0.),
        }))
# The warm-up from a tenth is a factor to the polynomial, which begins with
# it. Each counts one iteration less than `end`.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=101),
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=0.,
        by_epoch=False,
        begin=0,
        end=max_iters + 1)
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=3000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# For `--auto-scale-lr`.
auto_scale_lr = dict(enable=False, base_batch_size=16)
