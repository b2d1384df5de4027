"""Swin-T, pre-trained with MoCo v3 on ImageNet-100.

Paper:    the baseline of CAST-S in "Learning Hierarchical Image Segmentation For
          Recognition and By Recognition", ICLR 2024 (arXiv 2210.00314):
          linear probing 78.3 top-1 (CAST-S 79.9).
Command:  bash tools/dist_train.sh configs/baselines/swin-t_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/train/<class>/<image>.JPEG
Status:   runs, as `swin-t_in1k.py`; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-s_in100.py`.
"""

_base_ = [
    '../_base_/models/mocov3_swin-t.py',
    '../_base_/datasets/imagenet_mocov3.py',
    '../_base_/schedules/mocov3_adamw_200e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(data_root='data/imagenet100'))
default_hooks = dict(checkpoint=dict(interval=10))
