r"""Retrieval on Cityscapes by MoCo v2 with ResNet-50: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row MoCo, column Cityscapes.
Command:  bash tools/dist_test.sh \
              configs/baselines/moco_r50_retrieval_cityscapes-1024x2048.py \
              work_dirs/moco_r50_cityscapes/epoch_400.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/cityscapes, as MMSegmentation prepares it: 2975 images in the
          memory bank, 500 tested.
Weights:  epoch 400 of `moco_r50_cityscapes.py`, or any that MMPretrain
          publishes, such as mocov2_resnet50_8xb32-coslr-200e_in1k (ImageNet),
          as it is.
Status:   runs - fills the bank and tests on small generated data in
          Cityscapes' layout; not yet run on Cityscapes here.

As `moco_r50_retrieval_voc12-512.py`, with clusters from a grid of 12 x 24.
"""

_base_ = [
    '../_base_/models/retrieval_r50.py',
    '../_base_/datasets/cityscapes_retrieval.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(num_classes=19, kmeans=dict(num_clusters=(12, 24)))
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    # Of clusters; level 0 are the cells. Every class can be covered.
    dict(type='mmhierseg.NFCovering', levels=[1], background=None),
]
test_evaluator = val_evaluator
