"""CAST-B, trained with labels on ImageNet-1K as DeiT is.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314), which reports CAST-S; the
          recipe is that of `cast-s_deit_in1k.py`.
Command:  bash tools/dist_train.sh configs/cast/cast-b_deit_in1k.py 8
Hardware: 8 GPUs, 128 images each.
Data:     data/imagenet/{train,val}/<class>/<image>.JPEG
Status:   runs - trains and validates on small generated data in ImageNet's
          layout; not yet trained on ImageNet here.

As `cast-s_deit_in1k.py` (see there for the differences from the authors'
recipe), at twice the width.
"""

_base_ = ['cast-s_deit_in1k.py']

model = dict(backbone=dict(arch='base'), head=dict(in_channels=768))
