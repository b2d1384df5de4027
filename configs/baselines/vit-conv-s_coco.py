"""ViT-S, pre-trained with MoCo v3 on COCO's images: patches, no pooling.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `voc`, row ViT-S, before and after tuning.
Command:  bash tools/dist_train.sh configs/baselines/vit-conv-s_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

Data and budget are those of `../cast/cast-s_coco.py`, the model is that of
`vit-conv-s_in1k.py`. The image feature is the class token, as in MoCo v3.
"""

_base_ = ['vit-s_coco.py']

model = dict(
    backbone=dict(
        _delete_=True, type='mmhierseg.MoCoV3ConvViT', arch='small'))
