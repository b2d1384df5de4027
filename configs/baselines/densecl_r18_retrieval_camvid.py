r"""Retrieval on CamVid by a small DenseCL: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432); it has no such data.
Command:  python tools/test.py \
              configs/baselines/densecl_r18_retrieval_camvid.py \
              work_dirs/densecl_r18_camvid/epoch_12.pth
Hardware: one CPU core, minutes.
Data:     as in `moco_r18_retrieval_camvid.py`.
Weights:  epoch 12 of `densecl_r18_camvid.py`.
Status:   runs.

Identical to `moco_r18_retrieval_camvid.py` except for the weights.
"""

_base_ = ['moco_r18_retrieval_camvid.py']
