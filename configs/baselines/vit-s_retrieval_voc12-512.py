"""Retrieval on Pascal VOC 2012 by ViT-S as pre-trained on COCO: no tuning.

Paper:    an extra row beside those of CAST, ICLR 2024 (arXiv 2210.00314),
          whose ViT is that of `vit-conv-s_retrieval_voc12-512.py`.
Command:  bash tools/dist_test.sh \
              configs/baselines/vit-s_retrieval_voc12-512.py \
              work_dirs/vit-s_coco/kept_epoch_150.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it: 10582 images in the memory bank, 1449 tested.
Weights:  epoch 150 of `vit-s_coco.py`, as it is.
Status:   runs - fills the bank and tests on small generated data in VOC's
          layout; not yet run on VOC here.

A ViT has no segments. Its patches are grouped by k-means of their features,
those after the last norm, into 40 clusters, as many as CAST-S has at its
coarsest level. (The paper does not say how its baselines get segments, nor
from which features. For clusters that are compact in the image, as HSG's:
--cfg-options model.kmeans.num_clusters=6,6 model.kmeans.location=True)
"""

_base_ = [
    '../_base_/datasets/pascal_voc12_retrieval.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(
    type='mmhierseg.RetrievalSegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    embedder=dict(
        type='mmhierseg.FeatureMapEmbedder',
        backbone=dict(
            type='mmpretrain.MoCoV3ViT',
            arch='mocov3-small',
            # Positions of a checkpoint are brought to its grid, and from
            # there to that of the image.
            img_size=512,
            patch_size=16,
            out_type='featmap')),
    num_classes=21,
    num_neighbors=20,
    kmeans=dict(num_clusters=40))
