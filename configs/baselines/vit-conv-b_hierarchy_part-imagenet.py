r"""Hierarchy of ViT-B on PartImageNet, by k-means of its patch tokens.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): the segments of table
          `parts`, row ViT-B, which CLIP names.
Command:  python demo/hierarchy_demo.py IMAGE... --config \
              configs/baselines/vit-conv-b_hierarchy_part-imagenet.py \
              --checkpoint work_dirs/vit-conv-b_in1k/epoch_100.pth
Hardware: one CPU or GPU.
Data:     any images, 224 x 224.
Weights:  those of `vit-conv-b_in1k.py`, or the authors' converted by
          tools/model_converters/cast2mmhierseg.py.
Status:   runs - tested with random weights against a slow reference; not yet
          run on PartImageNet here.

Patch tokens after the last block, before the last norm, are resized to the
pixels, which spherical k-means groups into 64 segments, and these into 32, 16
and 8: level 2 is for parts, level 3 for objects. The initial clusters are
random, from `model.seed`, and the same for all images; the authors draw them
anew for each.
"""

default_scope = 'mmpretrain'
custom_imports = dict(imports=['mmhierseg'])

model = dict(
    type='mmhierseg.KMeansHierarchy',
    data_preprocessor=dict(
        type='mmengine.ImgDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    backbone=dict(
        type='mmhierseg.MoCoV3ConvViT',
        arch='base',
        out_type='featmap',
        final_norm=False),
    num_clusters=(64, 32, 16, 8),
    num_iterations=30,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='work_dirs/vit-conv-b_in1k/epoch_100.pth'))
hierarchy_inferencer = dict(img_size=224)
