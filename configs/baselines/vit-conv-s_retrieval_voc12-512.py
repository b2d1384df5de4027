"""Retrieval on Pascal VOC 2012 by ViT-S as pre-trained on COCO: no tuning.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `voc`, row ViT-S,
          column before tuning.
Command:  bash tools/dist_test.sh \
              configs/baselines/vit-conv-s_retrieval_voc12-512.py \
              work_dirs/vit-conv-s_coco/kept_epoch_150.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it: 10582 images in the memory bank, 1449 tested.
Weights:  epoch 150 of `vit-conv-s_coco.py`, as it is.
Status:   runs - fills the bank and tests on small generated data in VOC's
          layout; not yet run on VOC here.

Segments and features are chosen as in `vit-s_retrieval_voc12-512.py`; see
there for what the paper leaves open.
"""

_base_ = ['vit-s_retrieval_voc12-512.py']

model = dict(
    embedder=dict(
        backbone=dict(
            _delete_=True,
            type='mmhierseg.MoCoV3ConvViT',
            arch='small',
            img_size=512,
            out_type='featmap')))
