# Linear probing on ImageNet-100, with the learning rate for a batch of 256.
_base_ = ['linear_sgd_90e.py']

optim_wrapper = dict(optimizer=dict(lr=0.8))
auto_scale_lr = dict(base_batch_size=256)
