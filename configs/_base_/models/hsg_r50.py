# HSG with ResNet-50 of output stride 16 in training: the third stage is the
# last that strides, the fourth is dilated. For crops of 448 x 448, with all
# losses.
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
        # The last normalisation of a residual block starts at 1.
        zero_init_residual=False,
        # Strides in 3 x 3 convolutions.
        style='pytorch'),
    # Retrieval is at output stride 8, with the same weights.
    test_backbone=dict(
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        # First block of the third stage: 1, then 2.
        contract_dilation=True,
        multi_grid=(2, 8, 16)),
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
        # Means and padding of each GPU, then the mean over GPUs.
        local_means=True,
        # Larger maps than those of crops get positions between these.
        position_size=28),
    # Evaluation; its k-means is of whole images.
    num_neighbors=20,
    kmeans_iterations=15)

# For the norm layers of backbone, neck and transformers.
sync_bn = 'torch'

# Default of the demos: the shorter side of an image, for
# 512 pixels wide at 4:3, as in the evaluation on VOC.
hierarchy_inferencer = dict(img_size=384)
