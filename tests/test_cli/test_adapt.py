"""What ``adapt_config`` adds to a config."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.optim import AmpOptimWrapper

from mmhierseg._base import UserError
from mmhierseg.cli import adapt, adapt_config
from mmhierseg.cli.adapt import is_segmentation
from mmhierseg.engine import device

OURS = 'mmhierseg.AtomicCheckpointHook'


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    for module in (adapt, device):
        monkeypatch.setattr(module, 'get_device', lambda: 'cpu')


@pytest.fixture
def gpu(no_gpu, monkeypatch):
    monkeypatch.setattr(device, 'get_device', lambda: 'cuda')


def adapted(training=True, **fields):
    """The changed copy; the config itself must not change."""
    cfg = Config(fields)
    before = str(cfg._cfg_dict)
    result = adapt_config(cfg, training)
    assert str(cfg._cfg_dict) == before
    return result


def amp(**options):
    return dict(type='AmpOptimWrapper', loss_scale='dynamic', **options)


@pytest.mark.parametrize('name', [
    'AmpOptimWrapper', 'mmengine.AmpOptimWrapper', AmpOptimWrapper])
def test_full_precision_without_a_gpu(name):
    wrapper = amp(dtype='float16', accumulative_counts=2)
    cfg = adapted(optim_wrapper=dict(wrapper, type=name))
    assert cfg.optim_wrapper == dict(
        type='OptimWrapper', accumulative_counts=2)


@pytest.mark.parametrize('dtype', ['bfloat16', torch.bfloat16])
def test_bfloat16_without_a_gpu(dtype, monkeypatch):
    cfg = adapted(optim_wrapper=amp(dtype=dtype))
    assert cfg.optim_wrapper == dict(type='CPUAutocastOptimWrapper')
    for module in (adapt, device):
        monkeypatch.setattr(module, 'get_device', lambda: 'mps')
    cfg = adapted(optim_wrapper=amp(dtype=dtype))
    assert cfg.optim_wrapper == dict(type='OptimWrapper')


def test_set_of_wrappers():
    cfg = adapted(optim_wrapper=dict(constructor='M', generator=amp()))
    assert cfg.optim_wrapper.generator == dict(type='OptimWrapper')


def test_precision_is_kept(gpu):
    assert adapted(optim_wrapper=amp()).optim_wrapper == amp()


def test_precision_does_not_matter_for_testing():
    assert adapted(False, optim_wrapper=amp()).optim_wrapper == amp()


@pytest.mark.parametrize('given, expected', [
    (None, dict(type='CPUDistributedDataParallel', device_ids=None,
                find_unused_parameters=False)),
    (dict(static_graph=True), dict(type='CPUDistributedDataParallel',
                                   device_ids=None, static_graph=True)),
    (dict(type='mine.Wrapper'), dict(type='mine.Wrapper', device_ids=None)),
])
def test_several_processes_without_a_gpu(given, expected):
    cfg = adapted(launcher='pytorch', sync_bn='torch',
                  model_wrapper_cfg=given)
    assert cfg.sync_bn is None and cfg.model_wrapper_cfg == expected
    one = adapted(launcher='none', sync_bn='torch')
    assert one.sync_bn == 'torch' and 'model_wrapper_cfg' not in one


def test_several_gpus(gpu):
    cfg = adapted(launcher='pytorch', sync_bn='torch')
    assert cfg.sync_bn == 'torch' and 'model_wrapper_cfg' not in cfg


# ---------------------------------------------------------------------- hooks


@pytest.mark.parametrize('name', [
    'CheckpointHook', 'mmengine.CheckpointHook', CheckpointHook])
def test_checkpoint_hooks_are_replaced(name):
    hook = dict(type=name, interval=5, by_epoch=False)
    cfg = adapted(
        default_hooks=dict(checkpoint=hook, timer=None),
        custom_hooks=[hook, dict(type='EMAHook'), object()])
    for hook in (cfg.default_hooks.checkpoint, cfg.custom_hooks[0]):
        assert hook == dict(type=OURS, interval=5, by_epoch=False)
    assert cfg.default_hooks.timer is None
    assert cfg.custom_hooks[1] == dict(type='EMAHook')


@pytest.mark.parametrize('hook', [None, dict(type='MyCheckpointHook')])
def test_other_checkpoint_hooks_are_kept(hook):
    cfg = adapted(default_hooks=dict(checkpoint=hook))
    assert cfg.default_hooks.checkpoint == hook


def test_hooks_are_added():
    hooks = adapted().default_hooks
    assert {key: hook.type.split('.')[-1] for key, hook in hooks.items()} == {
        'checkpoint': 'AtomicCheckpointHook',
        'random_state': 'RandomStateHook',
        'label_check': 'LabelCheckHook'
    }
    assert 'random_state' not in adapted(training=False).default_hooks
    assert 'label_check' in adapted(training=False).default_hooks


def test_hooks_are_not_added_twice_or_against_ones_will():
    own = [dict(type='mmhierseg.LabelCheckHook', interval=10)]
    cfg = adapted(custom_hooks=own, default_hooks=dict(random_state=None))
    assert set(cfg.default_hooks) == {'checkpoint'}
    assert cfg.custom_hooks == own


# -------------------------------------------------------------------- loaders


@pytest.mark.parametrize('fields, expected', [
    (dict(default_scope='mmseg'), True),
    (dict(default_scope='mmhierseg'), False),
    (dict(default_scope='mmhierseg', model=dict(data_preprocessor=dict(
        type='SuperpixelSegDataPreProcessor'))), True),
    (dict(default_scope='mmseg', data_preprocessor=dict(
        type='mmpretrain.SelfSupDataPreprocessor')), False),
    (dict(default_scope='mmpretrain', data_preprocessor=dict(
        num_classes=3)), False),
])
def test_is_segmentation(fields, expected):
    assert is_segmentation(Config(fields)) is expected


def test_loader_defaults_of_mmpretrain(gpu):
    loader = adapted(train_dataloader=dict(num_workers=2)).train_dataloader
    assert loader == dict(
        num_workers=2, persistent_workers=True, pin_memory=True,
        collate_fn=dict(type='default_collate'))
    own = dict(
        num_workers=2, persistent_workers=False, pin_memory=False,
        collate_fn=dict(type='pseudo_collate'))
    assert adapted(train_dataloader=own).train_dataloader == own


def test_no_memory_is_pinned_without_a_gpu():
    assert not adapted(val_dataloader=dict()).val_dataloader.pin_memory


def test_mmsegmentation_keeps_the_collating_of_mmengine():
    cfg = adapted(default_scope='mmseg', test_dataloader=dict(num_workers=1))
    assert cfg.test_dataloader == dict(num_workers=1)


@pytest.mark.parametrize('scope', ['mmseg', 'mmpretrain'])
def test_no_workers_to_persist(scope):
    loader = dict(num_workers=0, persistent_workers=True)
    cfg = adapted(default_scope=scope, train_dataloader=loader)
    assert not cfg.train_dataloader.persistent_workers


# ------------------------------------------------------------------- sharding


def sharded(**options):
    return dict(
        dict(
            runner_type='FlexibleRunner',
            launcher='pytorch',
            strategy=dict(type='mmhierseg.ShardedStrategy'),
            optim_wrapper=dict(optimizer=dict(type='AdamW'))), **options)


def test_several_processes_are_sharded(gpu):
    assert adapted(**sharded()).strategy.type == 'mmhierseg.ShardedStrategy'


@pytest.mark.parametrize('name', [
    'FSDPStrategy', 'mmengine.FSDPStrategy', 'mmhierseg.ShardedStrategy'])
def test_one_process_is_not_sharded(name):
    cfg = adapted(**sharded(launcher='none', strategy=dict(type=name)))
    assert cfg.strategy == dict(type='SingleDeviceStrategy')


@pytest.mark.parametrize('option, remedy', [
    (dict(compile=True), 'leave it out'),
    (dict(sync_bn='torch'), 'strategy.sync_bn'),
    (dict(find_unused_parameters=True), 'strategy.model_wrapper'),
    (dict(model_wrapper_cfg=dict(type='A')), 'strategy.model_wrapper')])
def test_settings_that_flexible_runner_ignores(option, remedy):
    for strategy in (None, dict(type='mmhierseg.ShardedStrategy')):
        with pytest.raises(UserError, match=remedy):
            adapted(**sharded(strategy=strategy, **option))


@pytest.mark.parametrize('option, message', [
    (dict(custom_hooks=[dict(type='EMAHook')]), 'EMAHook cannot copy'),
    (dict(optim_wrapper=dict(clip_grad=dict(max_norm=1))), 'own shard'),
    (dict(optim_wrapper=dict(paramwise_cfg=dict(flat_decay_mult=0.))),
     'custom_keys'),
    (dict(optim_wrapper=dict(
        constructor='LearningRateDecayOptimWrapperConstructor')),
     'are all vectors')])
def test_settings_that_sharding_would_change(option, message, gpu):
    with pytest.raises(UserError, match=message):
        adapted(**sharded(**option))
    # Unsharded, they are as they should be.
    adapted(**sharded(strategy=dict(type='DDPStrategy'), **option))
