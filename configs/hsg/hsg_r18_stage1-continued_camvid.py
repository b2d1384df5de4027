"""The contrast alone for as many iterations as HSG's groups get, on CamVid.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432); it has no such control.
Command:  python tools/train.py configs/hsg/hsg_r18_stage1-continued_camvid.py
          python tools/test.py configs/hsg/hsg_r18_stage1-continued_camvid.py \
              work_dirs/hsg_r18_stage1-continued_camvid/iter_54.pth
Hardware: one CPU core, minutes.
Data:     as in `hsg_r18_stage1_camvid.py`.
Weights:  as in `hsg_r18_camvid.py`.
Status:   trained here, results in benchmarks/README.md.

`hsg_r18_camvid.py` without groups: what they add is the difference of the two.
"""

_base_ = ['hsg_r18_camvid.py']

model = dict(
    head=dict(
        fine_weight=0.,
        coarse_weight=0.,
        grouping_weight=0.,
        centroid_weight=0.))
# There is no head to have a learning rate of its own.
optim_wrapper = dict(
    paramwise_cfg=dict(
        patterns={
            '_delete_': True,
            '*bias': dict(lr_mult=2., decay_mult=0.)
        }))
