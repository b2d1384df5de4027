# CAST-S as a classifier, trained as DeiT is (Touvron et al., ICML 2021).
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelClsDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
        num_classes=1000),
    backbone=dict(
        type='mmhierseg.CAST',
        arch='small',
        img_size=224,
        num_clusters=(64, 32, 16, 8),
        pos_embed='learned',
        out_type='cls_token',
        drop_path_rate=0.1),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=384,
        loss=dict(
            type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=.02)),
    # Every batch gets one of the two, with equal chances.
    train_cfg=dict(augments=[
        dict(type='Mixup', alpha=0.8),
        dict(type='CutMix', alpha=1.0),
    ]))

# BN of the stem takes its statistics over each GPU's own images.
find_unused_parameters = False
