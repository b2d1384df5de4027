"""As `retrieval_coco-voc21.py`, with the ViT's patches, grouped by k-means."""

_base_ = ['retrieval_coco-voc21.py']

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    embedder=dict(
        _delete_=True,
        type='mmhierseg.FeatureMapEmbedder',
        backbone=dict(
            type='mmhierseg.MoCoV3ConvViT',
            arch=dict(
                embed_dims=96,
                num_layers=7,
                num_heads=4,
                feedforward_channels=384),
            img_size=320,
            out_type='featmap')),
    level=-1,
    kmeans=dict(num_clusters=40))
