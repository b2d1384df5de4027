"""Linear probing of CAST-B on ImageNet-1K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `linear`, row
          CAST-B, column IN-1K.
Command:  bash tools/dist_train.sh configs/cast/cast-b_linear_in1k.py 8
Hardware: 8 GPUs, 128 images each.
Data:     data/imagenet/{train,val}/<class>/<image>.JPEG
Weights:  those of `cast-b_in1k.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains and validates on small generated data in ImageNet's
          layout; not yet trained on ImageNet here.

As `cast-s_linear_in1k.py` (see there for the differences from the authors'
recipe), at twice the width.
"""

_base_ = ['cast-s_linear_in1k.py']

model = dict(
    backbone=dict(
        arch='base',
        init_cfg=dict(checkpoint='work_dirs/cast-b_in1k/epoch_100.pth')),
    head=dict(in_channels=768))
