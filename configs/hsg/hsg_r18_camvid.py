r"""A small HSG on CamVid's frames, second of two stages: the hierarchy.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432); it has no such data.
Command:  python tools/train.py configs/hsg/hsg_r18_camvid.py
          python tools/test.py configs/hsg/hsg_r18_camvid.py \
              work_dirs/hsg_r18_camvid/iter_54.pth
Hardware: one CPU core, minutes.
Data:     as in `hsg_r18_stage1_camvid.py`.
Weights:  backbone and neck that the first stage has left in work_dirs/. Others
          by --cfg-options model.backbone.init_cfg.checkpoint=PATH
          model.neck.init_cfg.checkpoint=PATH
Status:   trained here, results in benchmarks/README.md.

A ninth of the iterations of the first stage, so a tenth of all, at a twelfth
of its learning rate; losses and factors of learning rates are those of
`hsg_r50_stage2_coco-448x448.py`. Crops stay at 96 pixels.
"""

_base_ = ['hsg_r18_stage1_camvid.py']

stage1 = 'work_dirs/hsg_r18_stage1_camvid/iter_486.pth'
model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained', checkpoint=stage1, prefix='backbone.')),
    neck=dict(
        init_cfg=dict(type='Pretrained', checkpoint=stage1, prefix='neck.')),
    head=dict(
        kmeans_clusters=(4, 4),
        kmeans_iterations=15,
        fine_weight=0.1,
        coarse_weight=0.1,
        grouping_weight=1.,
        centroid_weight=1.,
        graph_knn=2,
        graph_within_view=True,
        pad_length=256))

max_iters = 54
optim_wrapper = dict(
    optimizer=dict(lr=8e-3),
    # Factors multiply: its biases have 20.
    paramwise_cfg=dict(patterns={'head.*': dict(lr_mult=10.)}))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=6),
    # 32, 56 and 75 %.
    dict(_base_.param_scheduler[1], milestones=[17, 30, 40]),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
