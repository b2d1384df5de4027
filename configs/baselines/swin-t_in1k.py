"""Swin-T, pre-trained with MoCo v3 on ImageNet-1K.

Paper:    the baseline of CAST-S in "Learning Hierarchical Image Segmentation For
          Recognition and By Recognition", ICLR 2024 (arXiv 2210.00314):
          linear probing 63.0 top-1 (CAST-S 68.1); 4.5 GFLOPs.
Command:  bash tools/dist_train.sh configs/baselines/swin-t_in1k.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet/train/<class>/<image>.JPEG
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

MMPretrain's own `SwinTransformer` with data, projector, loss and schedule of
`../cast/cast-s_in1k.py`, whose header says what is different from the
authors'. The paper does not say how its Swin-T was regularised; here there is
no stochastic depth, as in the models that it is compared with.
"""

_base_ = [
    '../_base_/models/mocov3_swin-t.py',
    '../_base_/datasets/imagenet_mocov3.py',
    '../_base_/schedules/mocov3_adamw.py',
    '../_base_/default_runtime.py',
]
