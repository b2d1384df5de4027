# PartImageNet's 11 objects, each the union of its parts, and the background.
_base_ = ['part_imagenet.py']

labels = 'object'
train_dataloader = dict(dataset=dict(labels=labels))
val_dataloader = dict(dataset=dict(labels=labels))
test_dataloader = val_dataloader
