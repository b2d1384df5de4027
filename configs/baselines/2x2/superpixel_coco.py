"""Controlled comparison on COCO: superpixels, no pooling.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): the question of table
          `voc`, asked of models that are alike in everything else.
Command:  bash tools/dist_train.sh configs/baselines/2x2/superpixel_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

See `superpixel_pooling_coco.py`.
"""

_base_ = ['superpixel_pooling_coco.py']

model = dict(
    backbone=dict(arch=dict(depths=(11, )), num_clusters=()))
