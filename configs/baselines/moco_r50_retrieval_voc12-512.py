r"""Retrieval on Pascal VOC 2012 by MoCo v2 with ResNet-50: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row MoCo, column COCO → VOC.
Command:  bash tools/dist_test.sh \
              configs/baselines/moco_r50_retrieval_voc12-512.py \
              work_dirs/moco_r50_coco/epoch_200.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it: 10582 images in the memory bank, 1449 tested.
Weights:  epoch 200 of `moco_r50_coco.py`, or any that MMPretrain publishes,
          such as mocov2_resnet50_8xb32-coslr-200e_in1k (ImageNet), as it is.
Status:   runs - fills the bank and tests on small generated data in VOC's
          layout; not yet run on VOC here.

A segment is a cluster of cells of the last feature map (stride 8) by HSG's
k-means: by feature and location, from a grid of 6 x 6. The paper does not say
how its baselines get segments. (To cluster pixels instead of cells:
--cfg-options model.embedder.at=pixel, 2 GB an image.) mIoU leaves out classes
that neither occur nor are predicted: none on the whole of VOC.
"""

_base_ = [
    '../_base_/models/retrieval_r50.py',
    '../_base_/datasets/pascal_voc12_retrieval.py',
    '../_base_/default_runtime_seg.py',
]

# As HSG's, so that the grid of k-means is the same for all images.
model = dict(data_preprocessor=dict(test_cfg=dict(size=(512, 512))))
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    # Of clusters; level 0 are the cells.
    dict(type='mmhierseg.NFCovering', levels=[1]),
]
test_evaluator = val_evaluator
