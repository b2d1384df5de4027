r"""Mask2Former of MMSegmentation on ADE20K, with CAST-S for ResNet-50.

Paper:    none for this combination. Mask2Former: arXiv 2112.01527.
Command:  bash tools/dist_train.sh \
          configs/cast/swap/cast-s_mask2former_ade20k-512x512.py 8
Hardware: 8 GPUs, 2 images each.
Data:     data/ade/ADEChallengeData2016, as MMSegmentation prepares it.
Needs:    MMDetection (onedl-mmdetection), which MMSegmentation's head is
          made of, and an MMCV with compiled operators.
Weights:  none, see `docs/swap.md`.
Status:   runs - trained, validated and tested (also with --tta) on small
          generated data in ADE20K's layout with onedl-mmdetection 3.5.1, on
          the CPU, where MMCV's operators are not called; not tried on a GPU,
          not trained on ADE20K here. The tests leave it out where MMDetection
          is missing.

The pixel decoder is made for maps of strides 4, 8, 16 and 32:
`Feature2Pyramid` makes them of CAST's, which have stride 8.
"""

_base_ = ['mmseg::mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py']
custom_imports = dict(
    imports=['mmhierseg', 'mmdet.models'], allow_failed_imports=False)
# Interrupted and resumed is the same as uninterrupted: docs/training.md.
default_hooks = dict(random_state=dict(type='mmhierseg.RandomStateHook'))

model = dict(
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        superpixels=dict(type='TorchSLIC', segment_size=16)),
    backbone=dict(
        _delete_=True,
        type='mmhierseg.CAST',
        arch='small',
        img_size=512,
        num_clusters=(320, 160, 80, 40),
        out_type='featmap',
        out_indices=(0, 1, 2, 3),
        # Two images on a GPU are few.
        norm_cfg=dict(type='SyncBN')),
    neck=dict(
        type='Feature2Pyramid',
        embed_dim=384,
        # From stride 8 to 4, 8, 16, 32.
        rescales=[2, 1, 0.5, 0.25]),
    decode_head=dict(in_channels=[384] * 4))
