r"""Hierarchy of DINOv2's ViT-B on PartImageNet, by k-means of its patches.

Paper:    "DINOv2: Learning Robust Visual Features without Supervision", 2023
          (arXiv 2304.07193); the segments are made as those of ViT-B in
          CAST's table `parts`.
Command:  python tools/model_converters/dino2mmhierseg.py \
              dinov2_vitb14_pretrain.pth dinov2_vitb14.pth
          python demo/hierarchy_demo.py IMAGE... --config \
              configs/baselines/dinov2-b_hierarchy_part-imagenet.py \
              --checkpoint dinov2_vitb14.pth
Hardware: one CPU or GPU.
Data:     any images, 224 x 224, or of another size (`--img-size`), such as
          BSDS500's.
Weights:  those of DINOv2's authors, converted.
Status:   runs - tested with random weights; not yet run on PartImageNet here.

As `vit-conv-b_hierarchy_part-imagenet.py`, of features after the last norm.
Positions are interpolated as MMPretrain does; the authors' code adds 0.1 to
the sides of the grid. MMPretrain's own conversions (vit-small-p14_dinov2) load
as they are.
"""

_base_ = ['vit-conv-b_hierarchy_part-imagenet.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.VisionTransformer',
        arch='base',
        # As released; positions are brought to the grid of an image.
        img_size=518,
        patch_size=14,
        layer_scale_init_value=1e-5,
        out_type='featmap'),
    size_divisor=14,
    init_cfg=None)
