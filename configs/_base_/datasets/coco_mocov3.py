# Two views of the images of COCO's train2017; no annotation is read.
_base_ = ['imagenet_mocov3.py']

train_dataloader = dict(
    dataset=dict(data_root='data/coco', data_prefix='train2017'))
