"""A ViT whose patches are grouped by k-means, looked up.

Paper:    see ../../../learning/configs/cast.py.
Command:  python benchmarks/finetuning/run.py --models vit
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['base.py']

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
            type='mmpretrain.MoCoV3ViT',
            arch=dict(
                embed_dims=64,
                num_layers=6,
                num_heads=4,
                feedforward_channels=256),
            img_size=128,
            patch_size=16,
            out_type='featmap')),
    kmeans=dict(num_clusters=8),
    level=-1)
