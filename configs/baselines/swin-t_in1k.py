"""Swin-T, pre-trained with MoCo v3 on ImageNet-1K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `linear`, row Swin-T, column IN-1K.
Command:  bash tools/dist_train.sh configs/baselines/swin-t_in1k.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet/train/<class>/<image>.JPEG
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

MMPretrain's own `SwinTransformer` with data, projector, loss and schedule of
`../cast/cast-s_in1k.py`; see there for the differences from the authors'
recipe. The paper does not say how its Swin-T was regularised; here there is no
stochastic depth, as in the models that it is compared with.
"""

_base_ = ['vit-s_in1k.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        arch='tiny',
        img_size=224,
        # None of the models that it is compared with has stochastic depth.
        drop_path_rate=0.),
    # The image feature is the mean of the last feature map.
    neck=dict(in_channels=768, with_avg_pool=True))
