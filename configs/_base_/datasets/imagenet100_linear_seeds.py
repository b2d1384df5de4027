# ImageNet-100 for linear probing, with SEEDS superpixels made in the loader.
# The data are written by tools/dataset_converters/imagenet_subset.py.
# 8 x 32 = 256 images in a batch.
_base_ = ['imagenet_linear_seeds.py']

train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        # Classes are the folders: MMPretrain's `ImageNet` wants all 1000.
        _delete_=True,
        type='CustomDataset',
        data_root='data/imagenet100',
        data_prefix='train',
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/imagenet100',
        data_prefix='val',
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
