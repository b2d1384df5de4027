"""The ViT of the table of recognition, and what segmentors with it need."""

vit = dict(
    type='mmhierseg.MoCoV3ConvViT',
    arch=dict(
        embed_dims=96, num_layers=7, num_heads=4, feedforward_channels=384),
    img_size=224,
    out_type='featmap')
vit_preprocessor = dict(
    _delete_=True,
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True)
vit_segmentor = dict(
    data_preprocessor=dict(
        vit_preprocessor, size=(224, 224), pad_val=0, seg_pad_val=255),
    backbone=dict(vit, _delete_=True),
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=96,
        channels=96,
        num_convs=1,
        kernel_size=1,
        concat_input=False,
        dropout_ratio=0.,
        norm_cfg=dict(type='BN'),
        init_cfg=dict(type='mmhierseg.PyTorchInit'),
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)))
