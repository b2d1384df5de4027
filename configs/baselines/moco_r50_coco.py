"""MoCo v2 with ResNet-50 on COCO's images.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): pre-training for table `hsg`, row MoCo, column COCO →
          VOC.
Command:  bash tools/dist_train.sh configs/baselines/moco_r50_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

Model, augmentation, batch, learning rate and epochs are those of MMPretrain's
recipe for ImageNet; the paper does not give its settings.
"""

_base_ = [
    '../_base_/datasets/imagenet_mocov3.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='MoCo',
    queue_len=65536,
    feat_dim=128,
    # Share of the new weights in the encoder that follows.
    momentum=0.001,
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True),
    backbone=dict(
        type='ResNet',
        depth=50,
        norm_cfg=dict(type='BN'),
        zero_init_residual=False),
    neck=dict(
        type='MoCoV2Neck',
        in_channels=2048,
        hid_channels=2048,
        out_channels=128,
        with_avg_pool=True),
    head=dict(
        type='ContrastiveHead',
        loss=dict(type='CrossEntropyLoss'),
        temperature=0.2))

view_pipeline = [
    dict(_base_.view_pipeline1[0], crop_ratio_range=(0.2, 1.)),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1)
        ],
        prob=0.8),
    # Grey with probability 0.2.
    _base_.view_pipeline1[2],
    dict(_base_.view_pipeline1[3], prob=0.5),
    dict(type='RandomFlip', prob=0.5),
]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='MultiView', num_views=2, transforms=[view_pipeline]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(
    dataset=dict(
        data_root='data/coco',
        data_prefix='train2017',
        pipeline=train_pipeline))

max_epochs = 200
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.03, weight_decay=1e-4, momentum=0.9))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        by_epoch=True,
        begin=0,
        end=max_epochs)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
auto_scale_lr = dict(enable=False, base_batch_size=256)

default_hooks = dict(checkpoint=dict(interval=10))
