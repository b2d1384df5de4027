"""DenseCL with a small ResNet-18 on CamVid's frames.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432); it has no such data.
Command:  python tools/train.py configs/baselines/densecl_r18_camvid.py
Hardware: one CPU core, minutes.
Data:     as in `moco_r18_camvid.py`.
Status:   trained here, results in benchmarks/README.md.

Differs from `moco_r18_camvid.py` as `densecl_r50_coco.py` does from
`moco_r50_coco.py`.
"""

_base_ = ['moco_r18_camvid.py']

# The contrast of MoCo v2, and the same between cells of the feature maps.
model = dict(
    type='DenseCL',
    loss_lambda=0.5,
    neck=dict(
        _delete_=True,
        type='DenseCLNeck',
        in_channels=128,
        hid_channels=128,
        out_channels=128,
        num_grid=None))
