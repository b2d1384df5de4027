"""DenseCL with ResNet-50 on COCO's images.

Paper:    a baseline in "Unsupervised Hierarchical Semantic Segmentation with
          Multiview Cosegmentation and Clustering Transformers", CVPR 2022
          (arXiv 2204.11432); by retrieval on VOC 35.1 mIoU.
Command:  bash tools/dist_train.sh configs/baselines/densecl_r50_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

Model, augmentation, batch, learning rate and epochs are those of MMPretrain's
recipe for ImageNet; the paper does not say what it took.
"""

_base_ = [
    '../_base_/models/densecl_r50.py',
    '../_base_/datasets/coco_mocov2.py',
    '../_base_/schedules/mocov2_sgd_200e.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=10))
