# ImageNet-1K for linear probing, with SEEDS superpixels made in the loader.
_base_ = ['imagenet_linear.py']

superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS',
        num_segments=196,
        histogram_bins=15,
        num_iterations=20))
# Before packing, the last step.
train_pipeline = [
    *_base_.train_pipeline[:-1], superpixels, _base_.train_pipeline[-1]
]
test_pipeline = [
    *_base_.test_pipeline[:-1], superpixels, _base_.test_pipeline[-1]
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
