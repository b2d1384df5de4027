r"""Retrieval on Cityscapes by DenseCL with ResNet-50: no tuning.

Paper:    a baseline in "Unsupervised Hierarchical Semantic Segmentation with
          Multiview Cosegmentation and Clustering Transformers", CVPR 2022
          (arXiv 2204.11432): 12.7 mIoU, 64.2 pixel accuracy.
Command:  bash tools/dist_test.sh \
              configs/baselines/densecl_r50_retrieval_cityscapes-1024x2048.py \
              work_dirs/densecl_r50_cityscapes/epoch_400.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/cityscapes, as MMSegmentation prepares it: 2975 images in the
          memory bank, 500 tested.
Weights:  epoch 400 of `densecl_r50_cityscapes.py`, or any that MMPretrain
          publishes, such as densecl_resnet50_8xb32-coslr-200e_in1k (ImageNet),
          as it is.
Status:   runs - fills the bank and tests on small generated data in
          Cityscapes' layout; not yet run on Cityscapes here.

All but the weights is that of `moco_r50_retrieval_cityscapes-1024x2048.py`.
"""

_base_ = ['moco_r50_retrieval_cityscapes-1024x2048.py']
