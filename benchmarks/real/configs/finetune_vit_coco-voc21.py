"""As `finetune_coco-voc21.py`, with the ViT."""

_base_ = ['finetune_coco-voc21.py']

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        size=(224, 224),
        pad_val=0,
        seg_pad_val=255,
        bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='mmhierseg.MoCoV3ConvViT',
        arch=dict(
            embed_dims=96,
            num_layers=7,
            num_heads=4,
            feedforward_channels=384),
        img_size=224,
        out_type='featmap'),
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=96,
        channels=96,
        num_convs=1,
        kernel_size=1,
        concat_input=False,
        dropout_ratio=0.,
        num_classes=21,
        norm_cfg=dict(type='BN'),
        init_cfg=dict(type='mmhierseg.PyTorchInit'),
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)))
