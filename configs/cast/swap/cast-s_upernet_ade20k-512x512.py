r"""UPerNet of MMSegmentation on ADE20K, with CAST-S in the place of ResNet-50.

Paper:    none for this combination. UPerNet: arXiv 1807.10221.
Command:  bash tools/dist_train.sh \
          configs/cast/swap/cast-s_upernet_ade20k-512x512.py 4
Hardware: 4 GPUs, 4 images each.
Data:     data/ade/ADEChallengeData2016, as MMSegmentation prepares it.
Weights:  none, see `docs/swap.md`.
Status:   runs - trains, validates and tests (also with --tta) on small
          generated data in ADE20K's layout; not trained on ADE20K here.

All four maps have cells of 8 x 8 pixels, and the same size; UPerNet resizes
what does not fit, so it needs no pyramid.
"""

_base_ = ['mmseg::upernet/upernet_r50_4xb4-80k_ade20k-512x512.py']
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
        img_size=512,
        num_clusters=(320, 160, 80, 40),
        out_type='featmap',
        out_indices=(0, 1, 2, 3)),
    decode_head=dict(in_channels=[384] * 4),
    auxiliary_head=dict(in_channels=384))
