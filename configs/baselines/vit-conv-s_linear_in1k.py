r"""Linear probing of ViT-S on ImageNet-1K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `linear`, row
          ViT-S, column IN-1K.
Command:  bash tools/dist_train.sh \
              configs/baselines/vit-conv-s_linear_in1k.py 8
Hardware: 8 GPUs, 128 images each.
Data:     data/imagenet/{train,val}/<class>/<image>.JPEG
Weights:  those of `vit-conv-s_in1k.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains and validates on small generated data in ImageNet's
          layout; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-s_linear_in1k.py`.
"""

_base_ = ['vit-s_linear_in1k.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmhierseg.MoCoV3ConvViT',
        arch='small',
        # All of its blocks: no gradient, and eval mode.
        frozen_stages=11,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/vit-conv-s_in1k/epoch_100.pth',
            prefix='backbone.')))
