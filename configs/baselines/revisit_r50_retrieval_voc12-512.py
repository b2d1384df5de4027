r"""Retrieval on Pascal VOC 2012 by "Revisit" with ResNet-50: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row Revisit, column COCO → VOC.
Command:  bash tools/dist_test.sh \
              configs/baselines/revisit_r50_retrieval_voc12-512.py \
              CHECKPOINT 8
Hardware: any number of GPUs; the result is the same.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it: 10582 images in the memory bank, 1449 tested.
Weights:  a ResNet-50 that the authors of "Revisiting Contrastive Methods for
          Unsupervised Learning of Visual Representations" (Van Gansbeke et
          al., NeurIPS 2021, arXiv 2106.05967) publish, as it is.
Status:   runs - fills the bank and tests on small generated data in VOC's
          layout; not yet run on VOC here.

Nothing in the file is executed, and the ResNet is found under any prefix
(torchvision's names, MoCo's `encoder_q.`). Otherwise identical to
`moco_r50_retrieval_voc12-512.py`.
"""

_base_ = ['moco_r50_retrieval_voc12-512.py']
