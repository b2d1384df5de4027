r"""Retrieval on CamVid by a small MoCo v2: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432); it has no such data.
Command:  python tools/test.py configs/baselines/moco_r18_retrieval_camvid.py \
              work_dirs/moco_r18_camvid/epoch_12.pth
Hardware: one CPU core, minutes.
Data:     data/camvid in SegNet's layout: 367 frames in the memory bank, 233
          tested.
Weights:  epoch 12 of `moco_r18_camvid.py`.
Status:   runs.

As `moco_r50_retrieval_voc12-512.py`, but clusters are of pixels, as HSG's,
from a grid of 6 x 8: cells of 8 pixels are large at this size.
"""

_base_ = [
    '../_base_/models/retrieval_r50.py',
    '../_base_/datasets/camvid_retrieval.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(
    embedder=dict(
        at='pixel',
        # As in training.
        backbone=dict(
            depth=18,
            base_channels=16,
            stem_channels=16,
            dilations=(1, 1, 1, 2),
            contract_dilation=False,
            multi_grid=(1, 2))),
    num_classes=11,
    kmeans=dict(num_clusters=(6, 8)))
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    # Of clusters; level 0 are the pixels. Every class can be covered.
    dict(type='mmhierseg.NFCovering', levels=[1], background=None),
]
test_evaluator = val_evaluator
