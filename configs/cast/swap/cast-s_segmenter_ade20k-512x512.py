r"""MMSegmentation's Segmenter on ADE20K, with CAST-S in the place of ViT-S.

Paper:    none for this combination. Segmenter: arXiv 2105.05633. The paper's
          own recipe, on segment tokens instead of maps, is
          `../cast-s_segmenter_ade20k-512x512.py`.
Command:  bash tools/dist_train.sh \
          configs/cast/swap/cast-s_segmenter_ade20k-512x512.py 8
Hardware: 8 GPUs, 1 image each.
Data:     data/ade/ADEChallengeData2016, as MMSegmentation prepares it.
Weights:  none, see `docs/swap.md`.
Status:   runs - trains, validates and tests (also with --tta) on small
          generated data in ADE20K's layout; not trained on ADE20K here.

MMSegmentation's mask transformer attends to the cells of the fused map. At
stride 16 they are as many as ViT-S/16 has patches, 1024; at CAST's own stride
of 8, four times as many, in twice the time and memory (`docs/speed.md`).
`mmhierseg.SegmentMaskTransformerHead` attends to the segments themselves.

CAST's weights are for images that were normalised by ImageNet's mean and
standard deviation, not by 127.5.
"""

_base_ = ['mmseg::segmenter/segmenter_vit-s_mask_8xb1-160k_ade20k-512x512.py']
custom_imports = dict(imports=['mmhierseg'])
# Interrupted and resumed is the same as uninterrupted: docs/training.md.
default_hooks = dict(random_state=dict(type='mmhierseg.RandomStateHook'))

model = dict(
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        superpixels=dict(type='TorchSLIC', segment_size=16)),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmhierseg.CAST',
        arch='small',
        img_size=512,
        num_clusters=(320, 160, 80, 40),
        out_type='featmap',
        out_indices=('fused', ),
        featmap_stride=16,
        drop_path_rate=0.1,
        # One image on a GPU is too few.
        norm_cfg=dict(type='SyncBN')))
