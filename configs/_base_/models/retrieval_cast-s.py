# Retrieval by the segments of CAST-S: fused tokens through the projector that
# MoCo v3 trained. Parts, and so weights, are those of `mocov3_cast-s.py`.
model = dict(
    type='mmhierseg.RetrievalSegmentor',
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    embedder=dict(
        type='mmhierseg.SegmentEmbedder',
        backbone=dict(
            type='mmhierseg.CAST',
            arch='small',
            # Positions of a checkpoint are brought to its grid, and from
            # there to the pixels.
            img_size=512,
            # For about 1024 superpixels.
            num_clusters=(320, 160, 80, 40),
            pos_embed='sincos',
            out_type='segments'),
        neck=dict(
            type='mmpretrain.NonLinearNeck',
            in_channels=384,
            hid_channels=4096,
            out_channels=256,
            num_layers=3,
            with_bias=False,
            with_last_bn=True,
            with_last_bn_affine=False,
            with_last_bias=False,
            with_avg_pool=False,
            norm_cfg=dict(type='BN1d'))),
    num_classes=21,
    num_neighbors=20,
    # The coarsest one.
    level=-1)
