# Retrieval by a ResNet-50 that others have pre-trained. At output stride 8, as
# HSG's: the last two stages are dilated instead of strided, which fits the
# same weights. K-means groups the cells of its map as HSG's groups pixels, by
# feature and location, from a grid.
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
            type='mmseg.ResNet',
            depth=50,
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 2, 4),
            # A block that strode looks at its neighbours, as before.
            contract_dilation=True,
            out_indices=(3, ),
            norm_cfg=dict(type='BN'),
            style='pytorch')),
    num_classes=21,
    num_neighbors=20,
    kmeans=dict(num_clusters=(6, 6), num_iterations=15, location=True))
