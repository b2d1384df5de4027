"""Pre-training of a tiny CAST by tools/train.py, with all that a run has."""

import numpy as np
from PIL import Image

from .configs import ROOT, run_tool

# Everything random or with a memory: augmentation in the loader, drop path,
# momentum encoder, average of weights, warm-up and cosine.
_CONFIG = """
_base_ = [r'{root}/configs/cast/cast-s_in1k.py']
crop = dict(type='RandomResizedCrop', scale=32, backend='pillow')
views = [
    crop,
    dict(type='RandomFlip', prob=0.5),
    dict(type='GaussianBlur', magnitude_range=(0.1, 2.), magnitude_std='inf',
         prob=0.5),
    dict(type='mmhierseg.GenerateSuperpixels',
         superpixels=dict(type='Grid', segment_size=8)),
]
train_pipeline = [
    dict(type='mmhierseg.LoadImage'),
    dict(type='MultiView', num_views=[2], transforms=[views]),
    dict(type='PackInputs'),
]
model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=48, depths=(1, 1, 1, 1),
                  num_heads=4),
        img_size=32, num_clusters=(8, 6, 4, 2), drop_path_rate=0.3),
    neck=dict(in_channels=48, hid_channels=32, out_channels=16),
    head=dict(predictor=dict(
        in_channels=16, hid_channels=32, out_channels=16)))
train_dataloader = dict(
    batch_size=4, num_workers={workers}, persistent_workers={workers} > 0,
    pin_memory=False,
    dataset=dict(data_root=r'{data}', pipeline=train_pipeline))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=1,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=2, by_epoch=True, begin=1, end=3,
         convert_to_iter_based=True)]
custom_hooks = [dict(type='EMAHook', ema_type='ExponentialMovingAverage',
                     momentum=0.1)]
train_cfg = dict(max_epochs=3)
default_hooks = dict(logger=dict(interval=1))
"""


def write_config(folder, workers=0):
    """A config, and images such that an epoch has two batches and a rest."""
    rng = np.random.default_rng(0)
    for i in range(10):
        images = folder / 'images/train' / f'n0144{i % 2}'
        images.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 256, (40, 52, 3), dtype=np.uint8)
        Image.fromarray(noise).save(images / f'{i}.JPEG')
    path = folder / 'tiny.py'
    path.write_text(
        _CONFIG.format(
            root=ROOT, data=folder / 'images', workers=workers))
    return path


def train(config, work_dir, *options):
    """Train as a user does; the output."""
    return run_tool('train.py', config, '--work-dir', work_dir, *options,
                    cwd=work_dir.parent)


def losses(output):
    """What was logged, as text, in each iteration."""
    return [
        line.split('loss: ')[1].split()[0] for line in output.split('\n')
        if 'Epoch(train)' in line and 'loss: ' in line
    ]
