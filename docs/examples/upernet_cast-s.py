"""MMSegmentation's UPerNet on ADE20K, with CAST-S as the backbone.

Command:  python tools/train.py docs/examples/upernet_cast-s.py
Data:     data/ade/ADEChallengeData2016, as in MMSegmentation.
Status:   runs on random images; not trained. Not one of the paper's recipes.
"""

_base_ = ['mmseg::upernet/upernet_r50_4xb4-80k_ade20k-512x512.py']
custom_imports = dict(imports=['mmhierseg'])
# A resumed run equals an uninterrupted one: docs/training.md.
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
