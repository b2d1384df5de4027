"""ViT-S, pre-trained with MoCo v3 on ImageNet-100.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `linear`, row ViT-S, column IN-100.
Command:  bash tools/dist_train.sh configs/baselines/vit-conv-s_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/train/<class>/<image>.JPEG
Status:   runs, as `vit-conv-s_in1k.py`; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-s_in100.py`, the model is that of
`vit-conv-s_in1k.py`.
"""

_base_ = ['vit-s_in100.py']

model = dict(
    backbone=dict(
        _delete_=True, type='mmhierseg.MoCoV3ConvViT', arch='small'))
