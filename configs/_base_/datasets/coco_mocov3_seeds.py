# Two views of the images of COCO's train2017, each with its SEEDS superpixels
# made in the loader; no annotation is read.
_base_ = ['imagenet_mocov3_seeds.py']

train_dataloader = dict(
    dataset=dict(data_root='data/coco', data_prefix='train2017'))
