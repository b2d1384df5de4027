# Imagenette, ten classes of ImageNet, in the pipelines of linear probing. A
# folder for each class in train/ and val/ (CustomDataset, since MMPretrain's
# ImageNet would take the classes for the first ten of 1000).
_base_ = ['imagenet_linear.py']

classes = [
    'tench', 'English springer', 'cassette player', 'chain saw', 'church',
    'French horn', 'garbage truck', 'gas pump', 'golf ball', 'parachute'
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/imagenette',
        data_prefix='train',
        metainfo=dict(classes=classes),
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/imagenette',
        data_prefix='val',
        metainfo=dict(classes=classes),
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
