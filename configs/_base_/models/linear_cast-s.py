# A linear classifier on the class token of a frozen CAST-S.
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
        pos_embed='sincos',
        out_type='cls_token',
        # All of them: no gradient, and eval mode.
        frozen_stages=4,
        norm_eval=True),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=384,
        loss=dict(type='CrossEntropyLoss'),
        init_cfg=dict(type='Normal', layer='Linear', std=0.01)))
