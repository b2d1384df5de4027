"""Interrupted and resumed training is the uninterrupted one, bit for bit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmhierseg.utils.checkpoints import read_checkpoint, read_safely

ROOT = Path(__file__).resolve().parents[1]

# Everything random or with a memory: augmentation in the loader, drop path,
# momentum encoder, average of weights, warm-up and cosine.
CONFIG = """
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
default_hooks = dict(logger=dict(interval=1){hooks})
"""


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Ten images of noise, so that an epoch has two batches and a rest."""
    root = tmp_path_factory.mktemp('imagenet')
    rng = np.random.default_rng(0)
    for i in range(10):
        folder = root / 'train' / f'n0144{i % 2}'
        folder.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 256, (40, 52, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f'{i}.JPEG')
    return root


def train(config, work_dir, *options):
    result = subprocess.run(
        [
            sys.executable, ROOT / 'tools/train.py', config, '--work-dir',
            work_dir, *options
        ],
        cwd=work_dir.parent,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300)
    assert result.returncode == 0, result.stdout[-3000:]
    return result.stdout


def run_twice(images, folder, workers, hooks='', seed=None):
    """Last checkpoints and outputs: uninterrupted, resumed after epoch 1."""
    config = folder / 'tiny.py'
    config.write_text(
        CONFIG.format(root=ROOT, data=images, workers=workers, hooks=hooks))
    options = []
    if seed is not None:
        options = ['--cfg-options', f'randomness.seed={seed}']
    whole, parts = folder / 'whole', folder / 'parts'
    outputs = [train(config, whole, *options)]
    # What a run leaves behind that was stopped during its second epoch.
    parts.mkdir()
    shutil.copy(whole / 'epoch_1.pth', parts)
    (parts / 'last_checkpoint').write_text(str(parts / 'epoch_1.pth'))
    outputs.append(train(config, parts, '--resume', *options))
    assert 'resumed epoch: 1, iter: 2' in outputs[1]
    read_safely()
    return [read_checkpoint(str(d / 'epoch_3.pth')) for d in (whole, parts)
            ], outputs


def differences(a, b, name=''):
    """Paths of the values that differ in two nested containers."""
    if type(a) is not type(b):
        return [name]
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [name]
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return [name]
        return [d for k in a for d in differences(a[k], b[k], f'{name}.{k}')]
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return [name]
        return [
            d for i, pair in enumerate(zip(a, b))
            for d in differences(*pair, f'{name}.{i}')
        ]
    return [] if a == b else [name]


TRAINED = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers',
           'random_states')


@pytest.mark.parametrize('workers, seed', [(0, None), (1, 3)])
def test_resumed_is_uninterrupted(workers, seed, images, tmp_path):
    """With an open seed, and with workers that the config keeps alive."""
    (whole, parts), outputs = run_twice(images, tmp_path, workers, seed=seed)
    assert whole['meta']['iter'] == parts['meta']['iter'] == 6
    for key in TRAINED:
        assert not differences(whole[key], parts[key]), key
    assert whole['state_dict']['momentum_encoder.steps'] == 6
    assert 'Random states are those of the checkpoint' in outputs[1]
    # The same numbers come out in each iteration.
    losses = [[line.split('loss: ')[1].split()[0] for line in text.split('\n')
               if 'loss: ' in line] for text in outputs]
    assert len(losses[0]) == 6 and losses[0][2:] == losses[1]


def test_it_takes_the_hook(images, tmp_path):
    """The test sees what goes wrong without it."""
    (whole, parts), _ = run_twice(
        images,
        tmp_path,
        0,
        hooks=", random_state=dict(_delete_=True, type='EmptyCacheHook')",
        seed=3)
    assert 'random_states' not in whole
    assert differences(whole['state_dict'], parts['state_dict'])
