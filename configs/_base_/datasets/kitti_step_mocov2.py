# The same of KITTI-STEP's training frames.
_base_ = ['coco_mocov2.py']

train_dataloader = dict(
    dataset=dict(data_root='data/kitti_step', data_prefix='images/train'))
