"""ViT-B, pre-trained with MoCo v3 on ImageNet-1K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `linear`, row ViT-B, column IN-1K.
Command:  bash tools/dist_train.sh configs/baselines/vit-conv-b_in1k.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet/train/<class>/<image>.JPEG
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

As `vit-conv-s_in1k.py` at twice the width.
"""

_base_ = ['vit-conv-s_in1k.py']

model = dict(backbone=dict(arch='base'), neck=dict(in_channels=768))
