"""Every config parses, builds, and trains on tiny data by tools/train.py."""

import copy
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cast import random_inputs
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS
from PIL import Image
from torch import nn

from mmhierseg.apis import HierarchyInferencer

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(
    path for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts)
PRETRAINING = [path for path in CONFIGS if path.parent.name == 'cast']
RECIPE = ROOT / 'configs/cast/cast-s_in1k.py'

# A child that shrinks a pre-training config: model, images, batch, run.
TINY = """
_base_ = [{base!r}]
view_pipelines = _base_.train_pipeline[1]['transforms']
for pipeline in view_pipelines:
    pipeline[0]['scale'] = 64
    if pipeline[-1]['type'] == 'mmhierseg.GenerateSuperpixels':
        pipeline[-1]['superpixels'].pop('num_segments', None)
        pipeline[-1]['superpixels']['segment_size'] = 16
del pipeline
train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], transforms=view_pipelines),
    _base_.train_pipeline[-1]]
model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=48, depths=(1, 1, 1, 1),
                  num_heads=4),
        img_size=64, num_clusters=(8, 6, 4, 2)),
    neck=dict(in_channels=48, hid_channels=32, out_channels=16),
    head=dict(predictor=dict(
        in_channels=16, hid_channels=32, out_channels=16)))
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    dataset=dict(data_root={data!r}, pipeline=train_pipeline))
train_cfg = dict(max_epochs=1)
default_hooks = dict(logger=dict(interval=1))
"""


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Ten images of noise in ImageNet's layout."""
    root = tmp_path_factory.mktemp('imagenet')
    rng = np.random.default_rng(0)
    for i in range(10):
        folder = root / 'train' / f'n0144{i % 2}'
        folder.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f'{i}.JPEG')
    return str(root)


def _load(path):
    cfg = Config.fromfile(str(path))
    init_default_scope(cfg.default_scope)
    return cfg


def _ids(paths):
    return [path.stem for path in paths]


def test_there_are_configs():
    names = _ids(CONFIGS)
    for name in ('cast-s_in1k', 'cast-s_in1k_torchslic', 'cast-t_photos',
                 'cast-t_photos_seeds'):
        assert name in names


@pytest.mark.parametrize('path', CONFIGS, ids=_ids(CONFIGS))
def test_header_says_command_and_status(path):
    text = path.read_text()
    assert 'Command:' in text and 'Status:' in text


@pytest.mark.parametrize('path', PRETRAINING, ids=_ids(PRETRAINING))
def test_model_and_pipeline_fit_each_other(path, images):
    """Two views leave the data preprocessor as images and superpixels."""
    cfg = _load(path)
    cfg.train_dataloader.dataset.data_root = images
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(dataset) == 10
    views = dataset[3]['inputs']
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    views = preprocessor(dict(inputs=[view[None] for view in views]))['inputs']
    side = cfg.model.backbone.img_size
    assert [tuple(view.shape) for view in views] == [(1, 4, side, side)] * 2
    for view in views:
        # As many superpixels as the recipe has at the model's image size.
        assert 130 < view[:, 3].unique().numel() <= 196
        assert view[:, :3].abs().max() < 3
    # Random views of one image differ.
    assert not torch.equal(views[0], views[1])


def _train(base, images, folder):
    """Shrink a config and train with it as a user does; (result, config)."""
    config = folder / 'tiny.py'
    config.write_text(TINY.format(base=str(base), data=images))
    result = subprocess.run(
        [
            sys.executable, ROOT / 'tools/train.py', config, '--work-dir',
            folder / 'work'
        ],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300)
    return result, config


def test_trains_when_inherited_from_the_package(images, tmp_path):
    """Parts of MMPretrain are found although the base is of mmhierseg."""
    result, _ = _train('mmhierseg::cast/cast-t_photos.py', images, tmp_path)
    assert result.returncode == 0, result.stdout[-3000:]
    assert 'Epoch(train) [1][2/2]' in result.stdout
    assert 'WARNING - Failed' not in result.stdout


def test_too_few_images_for_a_batch(images, tmp_path):
    config = tmp_path / 'large.py'
    config.write_text(f'_base_ = [{str(RECIPE)!r}]')
    result = subprocess.run(
        [
            sys.executable, ROOT / 'tools/train.py', config, '--cfg-options',
            f'train_dataloader.dataset.data_root={images}'
        ],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300)
    assert result.returncode == 1 and 'Traceback' not in result.stderr
    assert '10 images are fewer than its batch_size of 32' in result.stderr


@pytest.mark.parametrize('path', PRETRAINING, ids=_ids(PRETRAINING))
def test_trains_by_the_tool(path, images, tmp_path):
    result, config = _train(path, images, tmp_path)
    assert result.returncode == 0, result.stdout[-3000:]
    # Two batches of 4; the rest of 2 is dropped.
    assert 'Epoch(train) [1][2/2]' in result.stdout
    assert 'loss: nan' not in result.stdout
    # What was trained shows hierarchies.
    inferencer = HierarchyInferencer(
        config, tmp_path / 'work' / 'epoch_1.pth', 'cpu')
    image = np.random.default_rng(1).integers(
        0, 256, (50, 70, 3), dtype=np.uint8)
    prediction, = inferencer(image)['predictions']
    assert prediction['num_segments'][1] <= 8


@pytest.fixture(scope='module')
def cfg():
    return _load(RECIPE)


@pytest.fixture(scope='module')
def model(cfg):
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model)


class TestRecipe:
    """`cast-s_in1k.py` is the recipe of the paper."""

    def test_size(self, model):
        """Beside the poolings, about the 22 million parameters of ViT-S."""
        parameters = sum(p.numel() for p in model.backbone.parameters())
        pools = sum(p.numel() for p in model.backbone.pools.parameters())
        assert 19e6 < parameters - pools < 23e6

    def test_projector_and_predictor(self, model):
        """BN after every layer, the last without affine parameters."""
        for module, widths in ((model.neck, [384, 4096, 4096, 256]),
                               (model.head.predictor, [256, 4096, 256])):
            layers = [m for m in module.modules() if isinstance(m, nn.Linear)]
            norms = [
                m for m in module.modules() if isinstance(m, nn.SyncBatchNorm)
            ]
            assert [m.in_features for m in layers] == widths[:-1]
            assert [m.out_features for m in layers] == widths[1:]
            assert all(m.bias is None for m in layers)
            assert [m.num_features for m in norms] == widths[1:]
            assert [m.affine for m in norms] == [True] * (
                len(norms) - 1) + [False]
            assert not module.with_avg_pool

    def test_loss_of_uninformative_features(self, cfg):
        """2 T times the cross-entropy; with equal logits, 0.4 * log(8)."""
        head = MODELS.build(cfg.model.head)
        head.predictor = nn.Identity()
        features = torch.ones(8, 256)
        torch.testing.assert_close(
            head.loss(features, features), torch.tensor(0.4 * math.log(8)))

    def test_all_but_positions_and_last_pooling_is_trained(self, model):
        """And has a gradient: unused parameters are not looked for."""
        model = revert_sync_batchnorm(copy.deepcopy(model)).train()
        views = [random_inputs(2, 64, 64, 16, seed) for seed in (0, 1)]
        model.loss(views, None)['loss'].backward()
        for name, parameter in model.named_parameters():
            expected = not name.startswith(
                ('momentum_encoder', 'backbone.pools.3'))
            assert parameter.requires_grad == expected, name
            assert (parameter.grad is not None) == expected, name

    def test_like_mmpretrains_own_mocov3(self, cfg):
        """Views but for their superpixels, projector, predictor, loss."""
        own = get_config('mmpretrain::mocov3/mocov3_vit-small-p16_16xb256-'
                         'amp-coslr-300e_in1k.py')
        assert cfg.view_pipeline1[:-1] == own.view_pipeline1
        assert cfg.view_pipeline2[:-1] == own.view_pipeline2
        assert cfg.model.base_momentum == own.model.base_momentum
        sync = dict(type='SyncBN')
        assert cfg.model.neck == dict(own.model.neck, norm_cfg=sync)
        head = copy.deepcopy(own.model.head)
        head.predictor.norm_cfg = sync
        assert cfg.model.head == head

    def test_superpixels_are_the_published_ones(self, cfg):
        for view in (cfg.view_pipeline1, cfg.view_pipeline2):
            assert view[-1]['superpixels'] == dict(
                type='SEEDS',
                num_segments=196,
                histogram_bins=15,
                num_iterations=20)

    def test_learning_rate(self, cfg):
        """Ten epochs up to 1.5e-4, then half a cosine down to zero."""
        iterations = 10  # in an epoch
        parameter = nn.Parameter(torch.zeros(1))
        settings = dict(cfg.optim_wrapper.optimizer)
        assert settings.pop('type') == 'AdamW'
        assert settings['weight_decay'] == 0.1
        optimizer = torch.optim.AdamW([parameter], **settings)
        kinds = dict(LinearLR=LinearLR, CosineAnnealingLR=CosineAnnealingLR)
        schedulers = []
        for options in cfg.param_scheduler:
            options = dict(options)
            kind = kinds[options.pop('type')]
            assert options.pop('convert_to_iter_based')
            schedulers.append(
                kind.build_iter_from_epoch(
                    optimizer=optimizer, epoch_length=iterations, **options))
        rates = []
        for _ in range(100 * iterations):
            rates.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            for scheduler in schedulers:
                scheduler.step()
        steps = np.arange(1000)
        expected = np.where(
            steps < 100, steps / 100,
            0.5 * (1 + np.cos(np.pi * (steps - 100) / 900))) * 1.5e-4
        # MMEngine's warm-up is one iteration ahead.
        np.testing.assert_allclose(rates, expected, atol=1.5e-4 / 99)
        assert cfg.train_cfg.max_epochs == 100
        assert cfg.auto_scale_lr.base_batch_size == 8 * 32

    def test_batch(self, cfg):
        loader = cfg.train_dataloader
        assert loader.batch_size == 32 and loader.drop_last


def test_readme_names_the_checkpoint_of_the_quick_start():
    text = (ROOT / 'README.md').read_text()
    names = set(re.findall(r'work_dirs/cast-t_photos/(\w+\.pth)', text))
    epochs = _load(ROOT / 'configs/cast/cast-t_photos.py').train_cfg.max_epochs
    assert names == {f'epoch_{epochs}.pth'}
