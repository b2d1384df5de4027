"""Linear probe of the quick start's checkpoint on part-whole scenes.

Command:  python tools/train.py docs/examples/probe.py
Data:     data/scenes96; see docs/pretraining.md.
Status:   runs; ends near chance (8%), given two minutes of pre-training on
          fourteen photographs.
"""

_base_ = ['mmpretrain::_base_/default_runtime.py']
custom_imports = dict(imports=['mmhierseg'])

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelClsDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
        superpixels=dict(type='TorchSLIC', segment_size=8)),
    backbone=dict(
        type='mmhierseg.CAST',
        arch=dict(embed_dims=96, depths=(2, 2, 2, 1), num_heads=4),
        img_size=96,
        segment_at='pixel',
        frozen_stages=4,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-t_photos/epoch_5.pth',
            prefix='backbone.')),
    head=dict(type='LinearClsHead', num_classes=12, in_channels=96))

# Images of a batch have one size.
resize = dict(type='ResizeEdge', scale=96, edge='short', backend='pillow')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='RandomCrop', crop_size=96),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmhierseg.LoadImage'),
    resize,
    dict(type='CenterCrop', crop_size=96),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset',
        data_root='data/scenes96',
        data_prefix='train',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset',
        data_root='data/scenes96',
        data_prefix='val',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='Accuracy', topk=(1, ))

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9))
train_cfg = dict(by_epoch=True, max_epochs=5)
val_cfg = test_cfg = dict()
