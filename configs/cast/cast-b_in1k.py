"""CAST-B, pre-trained with MoCo v3 on ImageNet-1K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `linear`, row CAST-B, column IN-1K.
Command:  bash tools/dist_train.sh configs/cast/cast-b_in1k.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet/train/<class>/<image>.JPEG
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

As `cast-s_in1k.py` (see there for the differences from the authors' recipe),
at twice the width.
"""

_base_ = ['cast-s_in1k.py']

model = dict(backbone=dict(arch='base'), neck=dict(in_channels=768))
