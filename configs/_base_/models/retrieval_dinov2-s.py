# Retrieval by DINOv2's ViT-S/14: k-means groups its patches by their features
# after the last norm, into as many segments as CAST-S has at its coarsest.
model = dict(
    type='mmhierseg.RetrievalSegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    embedder=dict(
        type='mmhierseg.FeatureMapEmbedder',
        backbone=dict(
            type='mmpretrain.VisionTransformer',
            arch='dinov2-small',
            # As released; positions are brought to the grid of an image.
            img_size=518,
            patch_size=14,
            layer_scale_init_value=1e-5,
            out_type='featmap'),
        size_divisor=14),
    num_classes=21,
    num_neighbors=20,
    kmeans=dict(num_clusters=40))
