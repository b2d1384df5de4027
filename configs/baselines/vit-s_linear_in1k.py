"""Linear probing of ViT-S on ImageNet-1K.

Paper:    an extra row beside those of CAST, ICLR 2024 (arXiv 2210.00314),
          whose ViT is that of `vit-conv-s_linear_in1k.py`.
Command:  bash tools/dist_train.sh configs/baselines/vit-s_linear_in1k.py 8
Hardware: 8 GPUs, 128 images each.
Data:     data/imagenet/{train,val}/<class>/<image>.JPEG
Weights:  those of `vit-s_in1k.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains and validates on small generated data in ImageNet's
          layout; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-s_linear_in1k.py`.
"""

_base_ = [
    '../_base_/models/linear_cast-s.py',
    '../_base_/datasets/imagenet_linear.py',
    '../_base_/schedules/linear_sgd_90e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(type='ClsDataPreprocessor'),
    backbone=dict(
        _delete_=True,
        type='MoCoV3ViT',
        arch='mocov3-small',
        img_size=224,
        patch_size=16,
        # All of its blocks: no gradient, and eval mode.
        frozen_stages=12,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/vit-s_in1k/epoch_100.pth',
            prefix='backbone.')),
    head=dict(type='VisionTransformerClsHead'))
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
