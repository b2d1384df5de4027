r"""A small SegSort on CamVid's frames: HSG's loss of one level.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432); it has no such data. The loss is that of SegSort (Hwang
          et al., ICCV 2019, arXiv 1910.06962).
Command:  python tools/train.py configs/baselines/segsort_r18_camvid.py
          python tools/test.py configs/baselines/segsort_r18_camvid.py \
              work_dirs/segsort_r18_camvid/iter_540.pth
Hardware: one CPU core, minutes.
Data:     as in `../hsg/hsg_r18_stage1_camvid.py`.
Status:   trained here, results in benchmarks/README.md.

Differs from the first stage of HSG as `segsort_r50_coco-224x224.py` does, and
trains for as many iterations as both stages.
"""

_base_ = ['../hsg/hsg_r18_stage1_camvid.py']

model = dict(
    head=dict(kmeans_clusters=(4, 4), kmeans_iterations=15, cosegment=False))

max_iters = 540
param_scheduler = [
    _base_.param_scheduler[0],
    # 32, 56 and 75 %.
    dict(_base_.param_scheduler[1], milestones=[173, 302, 405]),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
