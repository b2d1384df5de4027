"""Tiny datasets in the real layouts, tiny configs, and running tools."""

from pathlib import Path

import numpy as np
import pytest
from helpers.configs import run_tool
from helpers.scripts import run_in_process
from PIL import Image

CLASSIFIER = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet', depth=18, base_channels=8, stem_channels=8,
        norm_cfg=dict(type='SyncBN')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=2, in_channels=64,
        loss=dict(type='CrossEntropyLoss')))
data_preprocessor = dict(
    num_classes=2, mean=[123., 116., 103.], std=[58., 57., 57.], to_rgb=True)
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(40, 32)),
    dict(type='PackInputs')
]
images = dict(
    type='ImageNet', data_root=r'{data}', metainfo=dict(classes=('a', 'b')),
    pipeline=pipeline)
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(images, split='train'),
    sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(images, split='val'),
    sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_evaluator = val_evaluator
optim_wrapper = dict(
    type='AmpOptimWrapper', loss_scale='dynamic',
    optimizer=dict(type='AdamW', lr=1e-3))
param_scheduler = dict(type='CosineAnnealingLR', T_max=4, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1),
    visualization=dict(type='VisualizationHook', enable=False))
visualizer = dict(
    type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
"""

SEGMENTOR = """
default_scope = 'mmseg'
data_preprocessor = dict(
    type='SegDataPreProcessor', mean=[123., 116., 103.], std=[58., 57., 57.],
    bgr_to_rgb=True, pad_val=0, seg_pad_val=255, size=(32, 40))
model = dict(
    type='EncoderDecoder', data_preprocessor=data_preprocessor,
    backbone=dict(
        type='ResNetV1c', depth=18, base_channels=4, stem_channels=4,
        num_stages=4, out_indices=(0, 1, 2, 3), strides=(1, 2, 2, 2),
        norm_cfg=dict(type='SyncBN')),
    decode_head=dict(
        type='FCNHead', in_channels=32, in_index=3, channels=8, num_convs=1,
        concat_input=False, num_classes=21, norm_cfg=dict(type='SyncBN'),
        loss_decode=dict(type='CrossEntropyLoss')),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
load = dict(type='LoadImageFromFile')
truth = dict(type='LoadAnnotations')
resize = dict(type='Resize', scale=(40, 32))
pack = dict(type='PackSegInputs')
flips = [dict(type='RandomFlip', prob=0.), dict(type='RandomFlip', prob=1.)]
tta_model = dict(type='SegTTAModel')
tta_pipeline = [
    load,
    dict(
        type='TestTimeAug', transforms=[[resize], flips, [truth], [pack]])
]
images = dict(
    type='PascalVOCDataset', data_root=r'{data}',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'))
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        images, ann_file='ImageSets/Segmentation/train.txt',
        pipeline=[load, truth, resize, pack]))
val_dataloader = dict(
    batch_size=1, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        images, ann_file='ImageSets/Segmentation/val.txt',
        pipeline=[load, resize, truth, pack]))
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
param_scheduler = [dict(type='PolyLR', power=0.9, end=2, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
log_processor = dict(by_epoch=False)
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
    visualization=dict(type='SegVisualizationHook'))
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer')
"""


def save_noise(path: Path, rng: np.random.Generator, classes: int = 0):
    """Save a 48 x 36 image of noise, of labels if `classes` is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (36, 48) if classes else (36, 48, 3)
    Image.fromarray(
        rng.integers(0, classes or 256, size, dtype=np.uint8)).save(path)


@pytest.fixture(scope='session')
def imagenet(tmp_path_factory) -> Path:
    """Eight training and four validation images of two classes."""
    root = tmp_path_factory.mktemp('imagenet')
    rng = np.random.default_rng(0)
    for split, count in (('train', 4), ('val', 2)):
        for label in 'ab':
            for i in range(count):
                save_noise(root / split / label / f'{i}.JPEG', rng)
    return root


@pytest.fixture(scope='session')
def voc(tmp_path_factory) -> Path:
    """Four training and two validation images, three classes used."""
    root = tmp_path_factory.mktemp('VOC2012')
    rng = np.random.default_rng(0)
    for i in range(6):
        save_noise(root / 'JPEGImages' / f'{i}.jpg', rng)
        save_noise(root / 'SegmentationClass' / f'{i}.png', rng, classes=3)
    lists = root / 'ImageSets' / 'Segmentation'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('0\n1\n2\n3\n')
    (lists / 'val.txt').write_text('4\n5\n')
    return root


@pytest.fixture(scope='session')
def classifier_config(tmp_path_factory, imagenet) -> Path:
    """A config of MMPretrain that asks for AMP and SyncBN."""
    path = tmp_path_factory.mktemp('configs') / 'classifier.py'
    path.write_text(CLASSIFIER.format(data=imagenet))
    return path


@pytest.fixture(scope='session')
def segmentor_config(tmp_path_factory, voc) -> Path:
    """A config of MMSegmentation that asks for SyncBN."""
    path = tmp_path_factory.mktemp('configs') / 'segmentor.py'
    path.write_text(SEGMENTOR.format(data=voc))
    return path


@pytest.fixture(scope='session')
def tool():
    """Run a tool; train.py and test.py in this process unless asked not to.

    Returns what it prints.
    """

    def run(name, *words, process=False, **options):
        if name in ('train.py', 'test.py') and not process:
            return run_in_process(name, *words, **options)[1]
        return run_tool(name, *words, **options)

    return run


def train(tool, config, tmp_path_factory):
    """Output and work directory."""
    folder = tmp_path_factory.mktemp(config.stem)
    return tool('train.py', config, '--work-dir', folder), folder


@pytest.fixture(scope='session')
def trained_classifier(tool, classifier_config, tmp_path_factory):
    """Of one epoch of training."""
    return train(tool, classifier_config, tmp_path_factory)


@pytest.fixture(scope='session')
def trained_segmentor(tool, segmentor_config, tmp_path_factory):
    """Of two iterations of training."""
    return train(tool, segmentor_config, tmp_path_factory)
