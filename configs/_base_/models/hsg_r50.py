# HSG with ResNet-50 of output stride 16: the third stage is the last that
# strides, the fourth is dilated. All losses, for crops of 448 x 448.
model = dict(
    type='mmhierseg.HSG',
    data_preprocessor=dict(
        type='mmhierseg.MultiViewSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    backbone=dict(
        type='mmseg.ResNet',
        depth=50,
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        multi_grid=(1, 4, 8),
        out_indices=(3, ),
        norm_cfg=dict(type='BN'),
        # Stride in the 3x3 convolution.
        style='pytorch'),
    neck=dict(
        type='mmhierseg.EmbeddingNeck', in_channels=2048, out_channels=128),
    head=dict(
        type='mmhierseg.HSGHead',
        in_channels=128,
        embed_dims=128,
        kmeans_clusters=(4, 4),
        kmeans_iterations=15,
        fine_clusters=8,
        coarse_clusters=4,
        img_sim_weight=1.,
        fine_weight=0.1,
        coarse_weight=0.1,
        concentration=16.,
        dropout=0.1,
        # Of crops of 448; larger maps get positions between these.
        position_size=28),
    # Of the evaluation. Settings of the k-means that training does not use.
    num_classes=21,
    num_neighbors=20,
    kmeans_clusters=(6, 6),
    kmeans_iterations=15)

# BN of the neck and of the transformers, too.
sync_bn = 'torch'
