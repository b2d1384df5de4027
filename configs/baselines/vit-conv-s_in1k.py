"""ViT-S, pre-trained with MoCo v3 on ImageNet-1K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `linear`, row ViT-S, column IN-1K.
Command:  bash tools/dist_train.sh configs/baselines/vit-conv-s_in1k.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet/train/<class>/<image>.JPEG
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

The paper's ViT-S: MoCo v3's `vit_conv_small`, with a trained convolutional
stem and 11 blocks. (`vit-s_in1k.py` has a random, frozen patch projection and
12 blocks.) Data, projector, loss and schedule are those of
`../cast/cast-s_in1k.py`; see there for the differences from the authors'
recipe.
"""

_base_ = ['vit-s_in1k.py']

model = dict(
    backbone=dict(
        _delete_=True, type='mmhierseg.MoCoV3ConvViT', arch='small'))
