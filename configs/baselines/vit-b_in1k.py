"""ViT-B, pre-trained with MoCo v3 on ImageNet-1K.

Paper:    an extra row beside those of CAST, ICLR 2024 (arXiv 2210.00314),
          whose ViT is that of `vit-conv-b_in1k.py`.
Command:  bash tools/dist_train.sh configs/baselines/vit-b_in1k.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet/train/<class>/<image>.JPEG
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

As `vit-s_in1k.py` at twice the width: data, projector, loss and schedule are
those of `../cast/cast-b_in1k.py`.
"""

_base_ = ['vit-s_in1k.py']

model = dict(backbone=dict(arch='base'), neck=dict(in_channels=768))
