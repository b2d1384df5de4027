r"""Retrieval on KITTI-STEP by DenseCL with ResNet-50: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row DenseCL, column KITTI-STEP.
Command:  bash tools/dist_test.sh \
              configs/baselines/densecl_r50_retrieval_kitti-step-376x1242.py \
              work_dirs/densecl_r50_kitti-step/epoch_240.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/kitti_step in the layout of the release; the memory bank from
          the training sequences, the test on those of validation.
Weights:  epoch 240 of `densecl_r50_kitti-step.py`, or any that MMPretrain
          publishes, such as densecl_resnet50_8xb32-coslr-200e_in1k (ImageNet),
          as it is.
Status:   runs - fills the bank and tests on small generated data in
          KITTI-STEP's layout; not yet run on KITTI-STEP here.

Identical to `moco_r50_retrieval_kitti-step-376x1242.py` except for the
weights.
"""

_base_ = ['moco_r50_retrieval_kitti-step-376x1242.py']
