"""Linear probing of Swin-T on ImageNet-100.

Paper:    the baseline of CAST-S in "Learning Hierarchical Image Segmentation For
          Recognition and By Recognition", ICLR 2024 (arXiv 2210.00314):
          78.3 top-1 (CAST-S 79.9).
Command:  bash tools/dist_train.sh configs/baselines/swin-t_linear_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/{train,val}/<class>/<image>.JPEG
Weights:  those of `swin-t_in100.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs, as `swin-t_linear_in1k.py`; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-s_linear_in100.py`.
"""

_base_ = [
    '../_base_/models/linear_cast-s.py',
    '../_base_/datasets/imagenet100_linear.py',
    '../_base_/schedules/linear_sgd_90e_in100.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(type='ClsDataPreprocessor', num_classes=100),
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        arch='tiny',
        img_size=224,
        drop_path_rate=0.,
        # All of its stages, counted from 0: no gradient, and eval mode.
        frozen_stages=3,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/swin-t_in100/epoch_200.pth',
            prefix='backbone.')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(in_channels=768, num_classes=100))

# `SwinTransformer` freezes when training starts, after the model was wrapped
# for several processes.
find_unused_parameters = True
