r"""Retrieval on Cityscapes by DenseCL with ResNet-50: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row DenseCL, column Cityscapes.
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

Identical to `moco_r50_retrieval_cityscapes-1024x2048.py` except for the
weights.
"""

_base_ = ['moco_r50_retrieval_cityscapes-1024x2048.py']
