r"""Retrieval on Pascal VOC 2012 by DenseCL with ResNet-50: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row DenseCL, column COCO → VOC.
Command:  bash tools/dist_test.sh \
              configs/baselines/densecl_r50_retrieval_voc12-512.py \
              work_dirs/densecl_r50_coco/epoch_200.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it: 10582 images in the memory bank, 1449 tested.
Weights:  epoch 200 of `densecl_r50_coco.py`, or any that MMPretrain publishes,
          such as densecl_resnet50_8xb32-coslr-200e_in1k (ImageNet), as it is.
Status:   runs - fills the bank and tests on small generated data in VOC's
          layout; not yet run on VOC here.

Identical to `moco_r50_retrieval_voc12-512.py` except for the weights.
"""

_base_ = ['moco_r50_retrieval_voc12-512.py']
