"""Linear probing of Swin-T on ImageNet-1K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `linear`, row
          Swin-T, column IN-1K.
Command:  bash tools/dist_train.sh configs/baselines/swin-t_linear_in1k.py 8
Hardware: 8 GPUs, 128 images each.
Data:     data/imagenet/{train,val}/<class>/<image>.JPEG
Weights:  those of `swin-t_in1k.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains and validates on small generated data in ImageNet's
          layout; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-s_linear_in1k.py`.
"""

_base_ = ['vit-s_linear_in1k.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        arch='tiny',
        img_size=224,
        drop_path_rate=0.,
        # All stages, counted from 0: no gradient, and eval mode.
        frozen_stages=3,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/swin-t_in1k/epoch_100.pth',
            prefix='backbone.')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=768))

# `SwinTransformer` freezes its stages when training starts, after the model
# was wrapped for several processes.
find_unused_parameters = True
