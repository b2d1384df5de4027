"""Retrieval on Pascal VOC 2012 by CAST-S on square patches: no tuning.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `voc`, row ablation
          (patch tokens, pooling), column before tuning.
Command:  bash tools/dist_test.sh \
              configs/baselines/cast-s-grid_retrieval_voc12-512.py \
              work_dirs/cast-s-grid_coco/kept_epoch_150.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     as `../cast/cast-s_retrieval_voc12-512.py`.
Weights:  epoch 150 of `cast-s-grid_coco.py`, as it is.
Status:   runs - fills the bank and tests on small generated data in VOC's
          layout; not yet run on VOC here.

`../cast/cast-s_retrieval_voc12-512.py` with patches of 16 pixels a side, of
the resized image. (The paper does not say.)
"""

_base_ = [
    '../_base_/models/retrieval_cast-s.py',
    '../_base_/datasets/pascal_voc12_retrieval.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(
    data_preprocessor=dict(superpixels=dict(type='Grid', segment_size=16)))
