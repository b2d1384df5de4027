"""Every config parses, builds, and trains on tiny data by tools/train.py."""

import copy
import math
import re

import numpy as np
import pytest
import torch
from helpers.cast import random_inputs
from helpers.configs import (
    ALL_CONFIGS,
    CONFIGS,
    ROOT,
    has_cast,
    is_pretraining,
    learning_rates,
    load_config,
    make_data,
    run_tool,
    save_pretrained,
    shrink,
)
from mmengine.hub import get_config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS
from torch import nn

from mmhierseg.apis import HierarchyInferencer

RECIPE = ROOT / 'configs/cast/cast-s_in1k.py'
NAMES = (
    'cast/cast-s_in1k', 'cast/cast-s_in1k_torchslic', 'cast/cast-t_photos',
    'cast/cast-t_photos_seeds', 'cast/cast-sd_in1k', 'cast/cast-b_in1k',
    'cast/cast-b_in1k_fsdp',
    'cast/cast-s_in100', 'cast/cast-s_coco', 'cast/cast-s_linear_in1k',
    'cast/cast-s_linear_in100', 'cast/cast-sd_linear_in1k',
    'cast/cast-b_linear_in1k', 'cast/cast-s_deit_in1k',
    'cast/cast-s_deit_in1k_torchslic', 'cast/cast-b_deit_in1k',
    'baselines/vit-s_in1k', 'baselines/vit-s_in100', 'baselines/vit-s_coco',
    'baselines/vit-s-superpixel_coco', 'baselines/cast-s-grid_coco',
    'baselines/swin-t_in1k', 'baselines/swin-t_in100',
    'baselines/vit-b_in1k', 'baselines/vit-b_linear_in1k',
    'baselines/vit-s_linear_in1k', 'baselines/vit-s_linear_in100',
    'baselines/swin-t_linear_in1k', 'baselines/swin-t_linear_in100')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder to run tools in: tiny data under data/, in the real layouts."""
    root = tmp_path_factory.mktemp('run')
    make_data(root)
    return root


def _ids(paths):
    return [path.stem for path in paths]


def test_there_are_configs():
    configs = ROOT / 'configs'
    names = [
        str(path.relative_to(configs).with_suffix('')) for path in ALL_CONFIGS
    ]
    assert set(NAMES) <= set(names)


@pytest.mark.parametrize('path', ALL_CONFIGS, ids=_ids(ALL_CONFIGS))
def test_header_says_command_and_status(path):
    text = path.read_text()
    assert 'Command:' in text and 'Status:' in text
    # The command is of this config, or of the quick start.
    assert f'{path.stem}.py' in text.split('Command:')[1].split('Status:')[0]


@pytest.mark.parametrize('path', CONFIGS, ids=_ids(CONFIGS))
def test_model_and_pipeline_fit_each_other(path, folder, monkeypatch):
    """What leaves the data preprocessor is what the backbone is made for."""
    monkeypatch.chdir(folder)
    cfg = load_config(path)
    for field in ('train_dataloader', 'val_dataloader'):
        if cfg.get(field) is not None:
            _check_batch(cfg, cfg[field].dataset)


def _check_batch(cfg, dataset):
    if dataset.type == 'ImageNet':
        dataset.metainfo = dict(classes=('a', 'b'))
    dataset = DATASETS.build(dataset)
    assert len(dataset) == 10
    sample = dataset[3]
    views = sample['inputs']
    views = views if isinstance(views, list) else [views]
    samples = [sample['data_samples']]
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    if is_pretraining(cfg):
        views = [view[None] for view in views]
        views = preprocessor(
            dict(inputs=views, data_samples=samples))['inputs']
        # Random views of one image differ.
        assert len(views) == 2 and not torch.equal(*views)
    else:
        views = [
            preprocessor(dict(
                inputs=views[0][None], data_samples=samples))['inputs']
        ]
    side = cfg.model.backbone.img_size
    shape = (1, 4 if has_cast(cfg) else 3, side, side)
    for view in views:
        assert tuple(view.shape) == shape
        assert view[:, :3].abs().max() < 3
        if has_cast(cfg):
            # As many superpixels as the recipe has at the model's size.
            assert 130 < view[:, 3].unique().numel() <= 196


def test_trains_when_inherited_from_the_package(folder, tmp_path):
    """Parts of MMPretrain are found although the base is of mmhierseg."""
    base = 'mmhierseg::cast/cast-t_photos.py'
    config = tmp_path / 'child.py'
    config.write_text(f"""
_base_ = [{base!r}]
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False)
train_cfg = dict(max_epochs=1)
default_hooks = dict(logger=dict(interval=1))
""")
    output = run_tool('train.py', config, '--work-dir', tmp_path, cwd=folder)
    assert 'Epoch(train) [1][2/2]' in output
    assert 'WARNING - Failed' not in output


def test_too_few_images_for_a_batch(folder, tmp_path):
    output = run_tool('train.py', RECIPE, '--work-dir', tmp_path, cwd=folder,
                      status=1)
    assert 'Traceback' not in output
    assert '10 images are fewer than its batch_size of 32' in output


@pytest.mark.parametrize('path', CONFIGS, ids=_ids(CONFIGS))
def test_trains_by_the_tool(path, folder, tmp_path):
    cfg = shrink(load_config(path))
    save_pretrained(cfg, folder)
    config = tmp_path / f'{path.stem}.py'
    cfg.dump(config)
    output = run_tool(
        'train.py', config, '--work-dir', tmp_path, cwd=folder)
    # Batches of 4; of 10 images, 2 are dropped but in linear probing.
    batches = 3 if 'linear' in path.stem else 2
    assert f'Epoch(train) [1][{batches}/{batches}]' in output
    assert 'loss: nan' not in output
    assert ('accuracy/top1' in output) != is_pretraining(cfg)
    if has_cast(cfg):
        # What was trained shows hierarchies.
        inferencer = HierarchyInferencer(
            config, tmp_path / 'epoch_1.pth', 'cpu')
        image = np.random.default_rng(1).integers(
            0, 256, (50, 70, 3), dtype=np.uint8)
        prediction, = inferencer(image)['predictions']
        assert len(prediction['num_segments']) == 1 + len(
            cfg.model.backbone.num_clusters)
        assert all(n <= 8 for n in prediction['num_segments'][1:])


@pytest.fixture(scope='module')
def cfg():
    return load_config(RECIPE)


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
        assert cfg.optim_wrapper.optimizer.type == 'AdamW'
        assert cfg.optim_wrapper.optimizer.weight_decay == 0.1
        steps = np.arange(1000)
        expected = np.where(
            steps < 100, steps / 100,
            0.5 * (1 + np.cos(np.pi * (steps - 100) / 900))) * 1.5e-4
        # MMEngine's warm-up is one iteration ahead.
        np.testing.assert_allclose(
            learning_rates(cfg, 10), expected, atol=1.5e-4 / 99)
        assert cfg.train_cfg.max_epochs == 100
        assert cfg.auto_scale_lr.base_batch_size == 8 * 32

    def test_batch(self, cfg):
        loader = cfg.train_dataloader
        assert loader.batch_size == 32 and loader.drop_last


def test_readme_names_the_checkpoint_of_the_quick_start():
    text = (ROOT / 'README.md').read_text()
    names = set(re.findall(r'work_dirs/cast-t_photos/(\w+\.pth)', text))
    cfg = load_config(ROOT / 'configs/cast/cast-t_photos.py')
    assert names == {f'epoch_{cfg.train_cfg.max_epochs}.pth'}
