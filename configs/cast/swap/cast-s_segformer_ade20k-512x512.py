r"""SegFormer's head on ADE20K, with CAST-S in the place of MiT-B0.

Paper:    none for this combination. SegFormer: arXiv 2105.15203.
Command:  bash tools/dist_train.sh \
          configs/cast/swap/cast-s_segformer_ade20k-512x512.py 8
Hardware: 8 GPUs, 2 images each.
Data:     data/ade/ADEChallengeData2016, as MMSegmentation prepares it.
Weights:  none, see `docs/swap.md`.
Status:   runs - trains, validates and tests (also with --tta) on small
          generated data in ADE20K's layout; not trained on ADE20K here.

The head brings all maps to the size of the first, which SegFormer's backbone
has at stride 4. `featmap_stride=4` gives the same resolution; maps at stride 8
take a quarter of the memory.
"""

_base_ = ['mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py']
custom_imports = dict(imports=['mmhierseg'])
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
        featmap_stride=4,
        drop_path_rate=0.1,
        # Two images on a GPU are few.
        norm_cfg=dict(type='SyncBN')),
    decode_head=dict(in_channels=[384] * 4))
