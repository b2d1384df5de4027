"""A small HSG for some minutes on views that were drawn once.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022
          (arXiv 2204.11432).
Command:  python benchmarks/hsg_learning/run.py --models hsg, which trains
          hsg.py and measures what it has learned.
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['../../../configs/hsg/hsg_r18_scenes-96x96.py']
custom_imports = dict(imports=['mmhierseg', 'benchmarks.learning.views'])

# The first four categories, so that their ids follow each other.
categories = ('aeroplane', 'bicycle', 'bird', 'boat')
crop_size = (64, 64)
model = dict(
    # Three stages of stride 4: parts are small.
    backbone=dict(
        num_stages=3,
        out_indices=(2, ),
        strides=(1, 1, 1),
        dilations=(1, 1, 2)),
    neck=dict(in_channels=64, out_channels=64),
    head=dict(
        in_channels=64,
        embed_dims=64,
        # Of the papers' 1 and 0.2 the slope to the embedding costs retrieval
        # in so few iterations; transformers learn as fast with any weight,
        # for Adam divides by the size of gradients.
        grouping_weight=0.02,
        centroid_weight=0.02,
        # What lets the transformers learn within minutes; see README.md.
        kmeans_init=True,
        num_heads=1,
        centroid_scale=4.,
        dropout=0.,
        mask_padding=True,
        position_size=16),
    num_classes=1 + len(categories),
    kmeans_clusters=(6, 6))

view_pipeline = [
    _base_.view_pipeline[0],
    dict(_base_.view_pipeline[1], crop_size=crop_size),
    *_base_.view_pipeline[2:-1],
    dict(_base_.view_pipeline[-1], size=crop_size),
]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], transforms=[view_pipeline]),
    *_base_.train_pipeline[2:],
]
# What views are drawn of.
scenes = dict(
    type='mmhierseg.PartWholeScenes',
    size=(128, 128),
    categories=categories,
    max_others=1,
    typical_colors=1.,
    pipeline=train_pipeline)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        type='mmhierseg.PairedViews',
        data_root='work_dirs/hsg_learning/views',
        pipeline=[dict(type='mmpretrain.PackInputs')]))
# It is measured by run.py, before and after.
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None
custom_hooks = []

# In place of HSG's SGD, whose learning rate falls after a third of the
# iterations: minutes are short. What depends on their number, run.py sets.
num_iters, warmup_iters = 900, 112
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='AdamW', lr=5e-3, weight_decay=1e-2),
    paramwise_cfg=dict(
        _delete_=True,
        norm_decay_mult=0.,
        bias_decay_mult=0.,
        # Transformers leave good groups again at the rate of convolutions.
        custom_keys=dict(head=dict(lr_mult=0.4))))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=False,
        begin=0,
        end=warmup_iters),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=warmup_iters,
        end=num_iters,
        T_max=num_iters - warmup_iters),
]
train_cfg = dict(max_iters=num_iters)
