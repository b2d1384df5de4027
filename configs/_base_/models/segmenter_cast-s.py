# Segmenter's mask transformer (Strudel et al., ICCV 2021, Sec. 3.2) on the
# segment tokens of CAST-S, for crops of 512 x 512 and 150 classes.
model = dict(
    type='mmhierseg.LeanEncoderDecoder',
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(512, 512),
        pad_val=0,
        seg_pad_val=255,
        # The backbone segments each window.
        test_maps=False),
    backbone=dict(
        type='mmhierseg.CAST',
        arch='small',
        # Positions stay a grid of 28 x 28, interpolated to the pixels.
        img_size=224,
        # For about 1024 superpixels.
        num_clusters=(320, 160, 80, 40),
        pos_embed='learned',
        out_type='segments'),
    decode_head=dict(
        type='mmhierseg.SegmentMaskTransformerHead',
        in_channels=384,
        num_classes=150,
        num_layers=2,
        # 64 channels each.
        num_heads=6,
        dropout_ratio=0.1,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    # The stride is that of Segmenter's final evaluation, the crop less 32.
    test_cfg=dict(
        mode='slide',
        crop_size=(512, 512),
        stride=(480, 480),
        enlarge=True))

hierarchy_inferencer = dict(img_size=512)

# BN of stem and fusion takes its statistics over the whole batch: the authors
# train in one process. MMEngine converts where there are several.
sync_bn = 'torch'
find_unused_parameters = False
