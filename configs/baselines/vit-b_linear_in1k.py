"""Linear probing of ViT-B on ImageNet-1K.

Paper:    an extra row beside those of CAST, ICLR 2024 (arXiv 2210.00314),
          whose ViT is that of `vit-conv-b_linear_in1k.py`.
Command:  bash tools/dist_train.sh configs/baselines/vit-b_linear_in1k.py 8
Hardware: 8 GPUs, 128 images each.
Data:     data/imagenet/{train,val}/<class>/<image>.JPEG
Weights:  those of `vit-b_in1k.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains and validates on small generated data in ImageNet's
          layout; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-b_linear_in1k.py`.
"""

_base_ = ['vit-s_linear_in1k.py']

model = dict(
    backbone=dict(
        arch='base',
        init_cfg=dict(checkpoint='work_dirs/vit-b_in1k/epoch_100.pth')),
    head=dict(in_channels=768))
