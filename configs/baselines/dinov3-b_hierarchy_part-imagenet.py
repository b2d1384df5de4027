r"""Hierarchy of DINOv3's ViT-B on PartImageNet, by k-means of its patches.

Paper:    "DINOv3", 2025 (arXiv 2508.10104); the segments are made as those of
          ViT-B in CAST's table `parts`.
Command:  python tools/model_converters/dino2mmhierseg.py \
              dinov3_vitb16_pretrain_lvd1689m-*.pth dinov3_vitb16.pth
          python demo/hierarchy_demo.py IMAGE... --config \
              configs/baselines/dinov3-b_hierarchy_part-imagenet.py \
              --checkpoint dinov3_vitb16.pth
Hardware: one CPU or GPU.
Data:     any images, 224 x 224, or of another size (`--img-size`), such as
          BSDS500's.
Weights:  those of DINOv3's authors, converted.
Status:   runs - tested with random weights; not yet run on PartImageNet here.

As `vit-conv-b_hierarchy_part-imagenet.py`, of features after the last norm.
Needs timm: pip install mmhierseg[timm].
"""

_base_ = ['vit-conv-b_hierarchy_part-imagenet.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmhierseg.DINOv3ViT',
        arch='base'),
    size_divisor=16,
    init_cfg=None)
