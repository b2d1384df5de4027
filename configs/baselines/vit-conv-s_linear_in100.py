r"""Linear probing of ViT-S on ImageNet-100.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `linear`, row
          ViT-S, column IN-100.
Command:  bash tools/dist_train.sh \
              configs/baselines/vit-conv-s_linear_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/{train,val}/<class>/<image>.JPEG
Weights:  those of `vit-conv-s_in100.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs, as `vit-conv-s_linear_in1k.py`; not yet trained on ImageNet
          here.

Data and budget are those of `../cast/cast-s_linear_in100.py`.
"""

_base_ = ['vit-s_linear_in100.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmhierseg.MoCoV3ConvViT',
        arch='small',
        frozen_stages=11,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/vit-conv-s_in100/epoch_200.pth',
            prefix='backbone.')))
