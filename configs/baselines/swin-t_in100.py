"""Swin-T, pre-trained with MoCo v3 on ImageNet-100.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `linear`, row Swin-T, column IN-100.
Command:  bash tools/dist_train.sh configs/baselines/swin-t_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/train/<class>/<image>.JPEG
Status:   runs, as `swin-t_in1k.py`; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-s_in100.py`.
"""

_base_ = ['swin-t_in1k.py']

train_dataloader = dict(dataset=dict(data_root='data/imagenet100'))
default_hooks = dict(checkpoint=dict(interval=10))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=20),
    dict(_base_.param_scheduler[1], T_max=180, begin=20, end=200),
]
train_cfg = dict(max_epochs=200)
