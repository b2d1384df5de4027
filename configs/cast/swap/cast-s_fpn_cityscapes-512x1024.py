r"""Semantic FPN of MMSegmentation on Cityscapes, with CAST-S for ResNet-50.

Paper:    none for this combination. Semantic FPN: arXiv 1901.02446.
Command:  bash tools/dist_train.sh \
          configs/cast/swap/cast-s_fpn_cityscapes-512x1024.py 4
Hardware: 4 GPUs, 2 images each.
Data:     data/cityscapes, as MMSegmentation prepares it.
Weights:  none, see `docs/swap.md`.
Status:   runs - trains, validates and tests (also with --tta) on small
          generated data in Cityscapes' layout; not trained on Cityscapes
          here.

FPN and its head are made for maps of strides 4, 8, 16 and 32. CAST's all have
stride 8; `Feature2Pyramid`, which MMSegmentation has for BEiT and MAE, makes
a pyramid of them.

A crop has 2048 superpixels, and twice as many clusters as one of 512 x 512. A
whole image would have 8192 superpixels, but no more clusters, so testing takes
windows of the crop's size.
"""

_base_ = ['mmseg::sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024.py']
custom_imports = dict(imports=['mmhierseg'])
# Interrupted and resumed is the same as uninterrupted: docs/training.md.
default_hooks = dict(random_state=dict(type='mmhierseg.RandomStateHook'))

model = dict(
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        superpixels=dict(type='TorchSLIC', segment_size=16)),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmhierseg.CAST',
        arch='small',
        img_size=(512, 1024),
        num_clusters=(640, 320, 160, 80),
        out_type='featmap',
        out_indices=(0, 1, 2, 3),
        # Two images on a GPU are few.
        norm_cfg=dict(type='SyncBN')),
    neck=[
        dict(
            type='Feature2Pyramid',
            embed_dim=384,
            # From stride 8 to 4, 8, 16, 32.
            rescales=[2, 1, 0.5, 0.25]),
        dict(
            type='FPN', in_channels=[384] * 4, out_channels=256, num_outs=4),
    ],
    test_cfg=dict(mode='slide', crop_size=(512, 1024), stride=(341, 683)))
