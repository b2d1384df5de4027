# The same of Cityscapes' training images.
_base_ = ['coco_mocov2.py']

train_dataloader = dict(
    dataset=dict(data_root='data/cityscapes', data_prefix='leftImg8bit/train'))
