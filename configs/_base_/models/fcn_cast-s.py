# A classifier of pixels on the fused tokens of CAST-S: 1 x 1 convolution, BN,
# ReLU, 1 x 1 convolution, done once for all pixels of a segment; BN counts
# pixels at half resolution. Predictions are resized by nearest neighbour.
model = dict(
    type='mmhierseg.LeanEncoderDecoder',
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(512, 512),
        pad_val=0,
        seg_pad_val=255),
    backbone=dict(
        type='mmhierseg.CAST',
        arch='small',
        # Positions of a checkpoint are brought to the grid of the crop, and
        # from there to the pixels.
        img_size=512,
        # For about 1024 superpixels.
        num_clusters=(320, 160, 80, 40),
        pos_embed='sincos',
        out_type='segments'),
    decode_head=dict(
        type='mmhierseg.SegmentFCNHead',
        in_channels=384,
        channels=384,
        num_classes=21,
        norm_cfg=dict(type='BN'),
        train_stride=2,
        init_cfg=dict(type='mmhierseg.PyTorchInit'),
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole', resize_pred='nearest'))

# All BN takes its statistics over all GPUs.
sync_bn = 'torch'
find_unused_parameters = False
