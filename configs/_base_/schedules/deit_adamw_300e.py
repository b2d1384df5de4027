# DeiT's schedule: 300 epochs, 5 of linear warm-up from 1e-6, cosine to 1e-5,
# changed once an epoch; a moving average that is kept but not used.
base_lr = 5e-4 * 1024 / 512
optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    dtype='float16',
    optimizer=dict(
        type='mmhierseg.AdamW',
        lr=base_lr,
        betas=(0.9, 0.999),
        weight_decay=0.05),
    # As in timm: vectors (biases, norm layers), class token and positions do
    # not decay.
    paramwise_cfg=dict(
        norm_decay_mult=0.,
        bias_decay_mult=0.,
        flat_decay_mult=0.,
        custom_keys={
            '.cls_token': dict(decay_mult=0.),
            '.pos_embed': dict(decay_mult=0.),
        }))
param_scheduler = [
    dict(
        type='mmhierseg.DeiTLR',
        T_max=300,
        warmup=5,
        start=1e-6,
        eta_min=1e-5,
        by_epoch=True)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=300, val_interval=1)
val_cfg = dict(fp16=True)
test_cfg = dict(fp16=True)
custom_hooks = [
    dict(
        type='mmhierseg.PassiveEMAHook',
        ema_type='ExponentialMovingAverage',
        # MMEngine counts what is taken over: 1 - 0.99996.
        momentum=1 - 0.99996,
        # As in timm, running statistics are averaged, too.
        update_buffers=True,
        priority='ABOVE_NORMAL')
]
auto_scale_lr = dict(base_batch_size=1024)
