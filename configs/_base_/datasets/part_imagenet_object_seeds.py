# PartImageNet's objects, with SEEDS superpixels made in the loader.
_base_ = ['part_imagenet_seeds.py']

labels = 'object'
train_dataloader = dict(dataset=dict(labels=labels))
val_dataloader = dict(dataset=dict(labels=labels))
test_dataloader = val_dataloader
