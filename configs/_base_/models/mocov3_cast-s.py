# MoCo v3 around CAST-S (CAST, Sec. 4.1; Chen et al., ICCV 2021, Sec. 4).
temperature = 0.2
model = dict(
    type='MoCoV3',
    # 1 - m: MMPretrain counts what is taken over from the encoder. Goes to 0,
    # so m from 0.99 to 1, by half a cosine over all iterations.
    base_momentum=0.01,
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSelfSupDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True),
    backbone=dict(
        type='mmhierseg.CAST',
        arch='small',
        img_size=224,
        num_clusters=(64, 32, 16, 8),
        pos_embed='sincos',
        out_type='cls_token'),
    # Linear layers without bias, BN after each, ReLU between them; the last
    # BN without affine parameters.
    neck=dict(
        type='NonLinearNeck',
        in_channels=384,
        hid_channels=4096,
        out_channels=256,
        num_layers=3,
        with_bias=False,
        with_last_bn=True,
        with_last_bn_affine=False,
        with_last_bias=False,
        with_avg_pool=False,
        norm_cfg=dict(type='SyncBN')),
    head=dict(
        type='MoCoV3Head',
        predictor=dict(
            type='NonLinearNeck',
            in_channels=256,
            hid_channels=4096,
            out_channels=256,
            num_layers=2,
            with_bias=False,
            with_last_bn=True,
            with_last_bn_affine=False,
            with_last_bias=False,
            with_avg_pool=False,
            norm_cfg=dict(type='SyncBN')),
        # The loss of each of the two directions is scaled by 2 T.
        loss=dict(type='CrossEntropyLoss', loss_weight=2 * temperature),
        temperature=temperature))

# BN of the stem, too, takes its statistics over all GPUs.
sync_bn = 'torch'
find_unused_parameters = False
