r"""Retrieval on KITTI-STEP by MoCo v2 with ResNet-50: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row MoCo, column KITTI-STEP.
Command:  bash tools/dist_test.sh \
              configs/baselines/moco_r50_retrieval_kitti-step-376x1242.py \
              work_dirs/moco_r50_kitti-step/epoch_240.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/kitti_step in the layout of the release; the memory bank from
          the training sequences, the test on those of validation.
Weights:  epoch 240 of `moco_r50_kitti-step.py`, or any that MMPretrain
          publishes, such as mocov2_resnet50_8xb32-coslr-200e_in1k (ImageNet),
          as it is.
Status:   runs - fills the bank and tests on small generated data in
          KITTI-STEP's layout; not yet run on KITTI-STEP here.

As `moco_r50_retrieval_voc12-512.py`, with clusters from a grid of 12 x 24.
"""

_base_ = [
    '../_base_/models/retrieval_r50.py',
    '../_base_/datasets/kitti_step_retrieval.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(num_classes=19, kmeans=dict(num_clusters=(12, 24)))
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    # Of clusters; level 0 are the cells. Every class can be covered.
    dict(type='mmhierseg.NFCovering', levels=[1], background=None),
]
test_evaluator = val_evaluator
