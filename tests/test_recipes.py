"""The recipes are those of the papers, number by number."""

import mmengine
import numpy as np
import pytest
import torch
from helpers.cast import random_inputs
from helpers.configs import (
    ALL_CONFIGS,
    CONFIGS,
    ROOT,
    SWAP_CONFIGS,
    has_cast,
    is_pretraining,
    learning_rates,
    load_config,
    shrink,
)
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import HOOKS, MODELS
from mmpretrain.structures import DataSample
from torch import nn

PATHS = {f'{path.parent.name}/{path.stem}': path for path in CONFIGS}
PRETRAINING = [
    name for name in PATHS
    if not any(word in name for word in ('linear', 'deit', 'photos'))
]
LINEAR = [name for name in PATHS if 'linear' in name]
DEIT = [name for name in PATHS if 'deit' in name]
#: Data set in the name -> epochs of pre-training and of its warm-up, folder.
MOCO = dict(
    in1k=(100, 10, 'data/imagenet/train'),
    in100=(200, 20, 'data/imagenet100/train'),
    coco=(400, 40, 'data/coco/train2017'))


@pytest.fixture(scope='module')
def configs():
    return {name: load_config(path) for name, path in PATHS.items()}


def superpixels_of(cfg, field='train'):
    """Superpixels that the pipeline of a loader makes, or None."""
    pipeline = cfg[f'{field}_dataloader'].dataset.pipeline
    for step in pipeline:
        if step['type'] == 'MultiView':
            first, second = (view[-1] for view in step['transforms'])
            pipeline = [first, second]
            assert first.get('superpixels') == second.get('superpixels')
    found = [
        step['superpixels'] for step in pipeline
        if step['type'] == 'mmhierseg.GenerateSuperpixels'
    ]
    return found[0] if found else None


# --------------------------------------------------------------- pre-training


@pytest.mark.parametrize('name', PRETRAINING)
def test_pretraining(name, configs):
    """Same schedule, batch, data, projector and loss for CAST and baselines."""
    cfg, reference = configs[name], configs['cast/cast-s_in1k']
    epochs, warmup, folder = next(
        MOCO[data] for data in MOCO if f'_{data}' in name)
    dataset = cfg.train_dataloader.dataset
    assert f'{dataset.data_root}/{dataset.data_prefix}' == folder
    assert not dataset.with_label
    assert cfg.train_dataloader.batch_size * 8 == 256
    assert cfg.optim_wrapper == reference.optim_wrapper
    assert cfg.train_cfg.max_epochs == epochs
    steps = np.arange(2 * epochs) / 2
    expected = 1.5e-4 * np.where(
        steps < warmup, steps / warmup,
        0.5 * (1 + np.cos(np.pi * (steps - warmup) / (epochs - warmup))))
    # MMEngine's warm-up is one of the 2 * warmup iterations ahead.
    np.testing.assert_allclose(
        learning_rates(cfg, 2), expected, atol=1.5e-4 / (2 * warmup - 1))
    assert cfg.model.head == reference.model.head
    neck = dict(reference.model.neck)
    neck.update(in_channels=cfg.model.neck.in_channels,
                with_avg_pool='swin' in name)
    assert cfg.model.neck == neck
    assert cfg.model.base_momentum == 0.01
    assert cfg.get('strategy', cfg).sync_bn == 'torch'


@pytest.mark.parametrize('name', PRETRAINING)
def test_views(name, configs):
    """All but the superpixels are the same everywhere."""
    cfg, reference = configs[name], configs['cast/cast-s_in1k']
    views = next(step['transforms'] for step in
                 cfg.train_dataloader.dataset.pipeline
                 if step['type'] == 'MultiView')
    for view, expected in zip(
            views, (reference.view_pipeline1, reference.view_pipeline2)):
        assert [step for step in view
                if step['type'] != 'mmhierseg.GenerateSuperpixels'
                ] == expected[:-1]
    made = superpixels_of(cfg)
    on_device = cfg.model.data_preprocessor.get('superpixels')
    if not has_cast(cfg):
        assert made is None and on_device is None
    elif name.endswith(('torchslic', 'grid_coco')):
        assert made is None and on_device.segment_size == 16
    else:
        assert on_device is None and made == dict(
            type='SEEDS', num_segments=196, histogram_bins=15,
            num_iterations=20)


@pytest.mark.parametrize('name, arch', [
    ('cast/cast-s_in1k', 'small'), ('cast/cast-sd_in1k', 'small-deep'),
    ('cast/cast-b_in1k', 'base'), ('cast/cast-s_in100', 'small'),
    ('cast/cast-s_coco', 'small'), ('baselines/cast-s-grid_coco', 'small'),
    ('cast/cast-s_linear_in1k', 'small'),
    ('cast/cast-sd_linear_in1k', 'small-deep'),
    ('cast/cast-b_linear_in1k', 'base'), ('cast/cast-s_deit_in1k', 'small'),
    ('cast/cast-b_deit_in1k', 'base')])
def test_architecture(name, arch, configs):
    backbone = configs[name].model.backbone
    assert backbone.arch == arch
    assert tuple(backbone.num_clusters) == (64, 32, 16, 8)
    assert backbone.pos_embed == ('learned' if 'deit' in name else 'sincos')
    assert backbone.out_type == ('avg_segments' if 'coco' in name
                                 else 'cls_token')


def test_ablations_differ_from_cast_in_one_thing(configs):
    cast = configs['cast/cast-s_coco'].model.to_dict()
    grid = configs['baselines/cast-s-grid_coco'].model.to_dict()
    superpixels = grid['data_preprocessor'].pop('superpixels')
    assert superpixels == dict(type='Grid', segment_size=16)
    assert grid == cast
    flat = configs['baselines/vit-s-superpixel_coco'].model.to_dict()
    assert flat['backbone'].pop('arch') == dict(
        embed_dims=384, depths=(11, ), num_heads=12)
    assert flat['backbone'].pop('num_clusters') == ()
    del cast['backbone']['arch'], cast['backbone']['num_clusters']
    assert flat == cast


@pytest.mark.parametrize('name', ['cast/cast-s_coco', 'baselines/vit-s_coco'])
def test_checkpoint_of_epoch_150_is_kept(name, configs):
    """The number by retrieval is of that epoch."""
    kept, = configs[name].custom_hooks
    hook = HOOKS.build(dict(kept))
    assert hook.interval == 150 and hook.max_keep_ckpts == -1
    usual = configs[name].default_hooks.checkpoint
    assert hook.filename_tmpl != 'epoch_{}.pth'
    assert usual.max_keep_ckpts == 3 and 'filename_tmpl' not in usual


@pytest.mark.parametrize('name, millions', [
    ('baselines/vit-s_in1k', 21.7), ('baselines/vit-b_in1k', 85.8),
    ('baselines/swin-t_in1k', 27.5),
    ('baselines/vit-s-superpixel_coco', 20.7)])
def test_baselines_have_their_size(name, millions, configs):
    backbone = MODELS.build(configs[name].model.backbone)
    number = sum(p.numel() for p in backbone.parameters()) / 1e6
    assert number == pytest.approx(millions, abs=0.1)


# ------------------------------------------------------------- linear probing


@pytest.mark.parametrize('name', LINEAR)
def test_linear_probing(name, configs):
    cfg = configs[name]
    whole = name.endswith('in1k')
    batch, rate, classes = (1024, 120, 1000) if whole else (256, 0.8, 100)
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=rate, momentum=0.9, weight_decay=0)
    assert cfg.train_dataloader.batch_size * 8 == batch
    assert cfg.auto_scale_lr.base_batch_size == batch
    assert cfg.train_cfg.max_epochs == 90
    epochs = np.arange(180) // 2
    np.testing.assert_allclose(
        learning_rates(cfg, 2),
        rate * 0.5 * (1 + np.cos(np.pi * epochs / 90)), atol=1e-9)
    assert cfg.model.head.num_classes == classes
    assert cfg.model.data_preprocessor.num_classes == classes
    for field, folder in (('train', 'train'), ('val', 'val'),
                          ('test', 'val')):
        dataset = cfg[f'{field}_dataloader'].dataset
        assert dataset.data_root == ('data/imagenet' if whole else
                                     'data/imagenet100')
        assert dataset.get('split', dataset.get('data_prefix')) == folder
        seeds = superpixels_of(cfg, field)
        assert seeds == (configs['cast/cast-s_in1k'].superpixels.superpixels
                         if has_cast(cfg) else None)
    # The weights are those that pre-training leaves.
    source = name.replace('_linear', '')
    epochs = configs[source].train_cfg.max_epochs
    assert cfg.model.backbone.init_cfg == dict(
        type='Pretrained', prefix='backbone.',
        checkpoint=f'work_dirs/{source.split("/")[1]}/epoch_{epochs}.pth')


@pytest.mark.parametrize('name', LINEAR)
def test_only_the_linear_layer_is_trained(name, configs):
    settings = configs[name].model.to_dict()
    settings['backbone'].pop('init_cfg')
    model = MODELS.build(settings).train()
    assert {key for key, parameter in model.named_parameters()
            if parameter.requires_grad} == (
                {'head.fc.weight', 'head.fc.bias'} if 'vit' not in name else
                {'head.layers.head.weight', 'head.layers.head.bias'})
    frozen = [m for m in model.backbone.modules()
              if isinstance(m, (nn.BatchNorm2d, nn.Dropout))]
    assert not any(m.training for m in frozen if getattr(m, 'p', 1) > 0)
    # Of its layers: 1000 or 100 outputs from N(0, 0.01).
    model.init_weights()
    weight = next(p for p in model.parameters() if p.requires_grad)
    assert weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize('name', LINEAR + DEIT)
def test_images_are_tested_by_their_centre(name, configs):
    _, resize, crop, *rest = configs[name].test_dataloader.dataset.pipeline
    assert resize == dict(
        type='ResizeEdge', scale=256, edge='short', backend='pillow',
        **(dict(interpolation='bicubic') if 'deit' in name else {}))
    assert crop == dict(type='CenterCrop', crop_size=224)
    assert {step['type'] for step in rest} <= {
        'mmhierseg.GenerateSuperpixels', 'PackInputs'
    }


# ----------------------------------------------------------------------- DeiT


@pytest.mark.parametrize('name', DEIT)
def test_deit(name, configs):
    cfg = configs[name]
    assert cfg.train_cfg.max_epochs == 300
    assert cfg.train_dataloader.batch_size * 8 == 1024
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer.type == 'AdamW' and optimizer.weight_decay == 0.05
    assert optimizer.lr == pytest.approx(5e-4 * 1024 / 512)
    steps = np.arange(3000) / 10
    expected = np.where(
        steps < 5, 1e-6 + steps / 5 * (1e-3 - 1e-6), 1e-5 + (1e-3 - 1e-5) *
        0.5 * (1 + np.cos(np.pi * (steps - 5) / 295)))
    np.testing.assert_allclose(
        learning_rates(cfg, 10), expected, atol=1e-3 / 49)
    model = cfg.model
    assert model.backbone.drop_path_rate == 0.1
    assert model.head.loss.label_smooth_val == 0.1
    assert model.train_cfg.augments == [
        dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)
    ]
    assert cfg.train_dataloader.sampler == dict(
        type='RepeatAugSampler', num_repeats=3)
    ema, = cfg.custom_hooks
    assert 1 - ema.momentum == pytest.approx(0.99996, abs=1e-12)


@pytest.mark.parametrize('name', DEIT)
def test_deit_augmentation(name, configs):
    steps = {
        step['type']: step
        for step in configs[name].train_dataloader.dataset.pipeline
    }
    augment = steps['RandAugment']
    assert (augment.num_policies, augment.magnitude_level,
            augment.magnitude_std, augment.policies) == (
                2, 9, 0.5, 'timm_increasing')
    erase = steps['RandomErasing']
    assert (erase.erase_prob, erase.mode) == (0.25, 'rand')
    assert erase.fill_std is not None
    assert steps['RandomResizedCrop'].interpolation == 'bicubic'
    made = superpixels_of(configs[name])
    if name.endswith('torchslic'):
        assert made is None and superpixels_of(configs[name], 'val') is None
        assert configs[name].model.data_preprocessor.superpixels == dict(
            type='TorchSLIC', segment_size=16)
    else:
        assert made == superpixels_of(configs[name], 'val') == dict(
            type='SEEDS', num_segments=196, histogram_bins=5,
            num_iterations=15)
        assert list(steps)[-2:] == [
            'mmhierseg.GenerateSuperpixels', 'PackInputs'
        ]


def build_optimizer(cfg, **options):
    """Model and optimizer wrapper in full precision."""
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    settings = dict(cfg.optim_wrapper.to_dict(), **options)
    settings.update(type='OptimWrapper')
    for key in ('loss_scale', 'dtype'):
        settings.pop(key)
    return model, build_optim_wrapper(model, settings)


def test_deit_decays_matrices_only(configs):
    model, wrapper = build_optimizer(configs['cast/cast-s_deit_in1k'])
    names = {id(p): name for name, p in model.named_parameters()}
    seen = set()
    for group in wrapper.param_groups:
        for parameter in group['params']:
            # MMEngine adds a number of its own, to log the learning rate.
            if id(parameter) not in names:
                assert not parameter.shape
                continue
            name = names[id(parameter)]
            seen.add(name)
            vector = parameter.dim() == 1 or name.endswith(
                ('cls_token', 'pos_embed'))
            assert group['weight_decay'] == (0 if vector else 0.05), name
    assert {n for n, p in model.named_parameters() if p.requires_grad} <= seen


def test_layer_decay_is_one_setting(configs):
    """MMPretrain's constructor takes CAST's depths: 11 blocks, stem, head."""
    _, wrapper = build_optimizer(
        configs['cast/cast-s_deit_in1k'],
        constructor='LearningRateDecayOptimWrapperConstructor',
        paramwise_cfg=dict(layer_decay_rate=0.5))
    scales = {
        group['lr_scale']
        for group in wrapper.param_groups if 'lr_scale' in group
    }
    assert scales == {0.5**depth for depth in range(13)}


def test_segments_belong_to_the_unmixed_image(configs):
    """Published behaviour; with superpixels made on the device they do not."""
    settings = configs['cast/cast-s_deit_in1k'].model.to_dict()
    model = MODELS.build(dict(settings, backbone=dict(
        settings['backbone'], arch=dict(embed_dims=48, depths=(1, ) * 4,
                                        num_heads=4)),
        head=dict(settings['head'], in_channels=48)))
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.float32)
    labels = torch.arange(4.)[:, None, None, None].expand(-1, 1, 64, 64)
    torch.manual_seed(0)
    data = dict(
        inputs=torch.cat([images, labels], dim=1),
        data_samples=[DataSample().set_gt_label(i) for i in range(4)])
    plain = model.data_preprocessor(data, training=False)['inputs']
    mixed = model.data_preprocessor(data, training=True)
    assert not torch.equal(mixed['inputs'][:, :3], plain[:, :3])
    assert torch.equal(mixed['inputs'][:, 3:], labels)
    assert all(len(sample.gt_score) == 1000
               for sample in mixed['data_samples'])


# ------------------------------------------------------- several processes


@pytest.mark.parametrize('name', PATHS)
def test_all_that_is_trained_gets_a_gradient(name):
    """Else training in several processes would stop, unless told to look."""
    cfg = shrink(load_config(PATHS[name]))
    cfg.model.backbone.pop('init_cfg', None)
    model = MODELS.build(cfg.model)
    # As MMEngine does: initialise, wrap, and only then switch to training.
    model.init_weights()
    wrapped = {n for n, p in model.named_parameters() if p.requires_grad}
    model = revert_sync_batchnorm(model)
    model.train()
    views = [random_inputs(4, 64, 64, 16, seed) for seed in (0, 1)]
    if not has_cast(cfg):
        views = [view[:, :3] for view in views]
    if is_pretraining(cfg):
        losses = model.loss(views, None)
    else:
        samples = [DataSample().set_gt_label(i % 2) for i in range(4)]
        losses = model.loss(views[0], samples)
    losses['loss'].backward()
    with_gradient = {
        n for n, p in model.named_parameters() if p.grad is not None
    }
    if cfg.get('find_unused_parameters'):
        assert with_gradient < wrapped
    else:
        assert with_gradient == wrapped


# -------------------------------------------------------------- descriptions


@pytest.mark.parametrize('folder', ['cast', 'baselines', 'hsg'])
def test_metafile_and_readme_tell_of_every_config(folder):
    root = ROOT / 'configs' / folder
    readme = (root / 'README.md').read_text()
    entries = {
        entry['Config']: entry
        for entry in mmengine.load(root / 'metafile.yml')['Models']
    }
    for path in (path for path in SWAP_CONFIGS if root in path.parents):
        entry = entries.pop(str(path.relative_to(ROOT)))
        assert entry['Name'] == f'swap/{path.stem}'
    for path in ALL_CONFIGS:
        if path.parent != root:
            continue
        name = f'{folder}/{path.stem}'
        entry = entries.pop(f'configs/{name}.py')
        assert entry['Name'] == path.stem
        assert f'`{entry["Name"]}.py`' in readme
        if 'Epochs' in entry['Metadata']:
            cfg = load_config(path)
            assert entry['Metadata']['Epochs'] == cfg.train_cfg.max_epochs
            assert (entry['Metadata']['Batch Size'] ==
                    cfg.train_dataloader.batch_size * 8)
    assert not entries


def test_every_pretraining_config_is_asserted(configs):
    assert len(PRETRAINING) == 15
    assert all(is_pretraining(configs[name]) for name in PRETRAINING)
    assert len(LINEAR) == 9 and len(DEIT) == 3
