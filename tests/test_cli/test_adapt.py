"""Adapting configs to the machine and to this package."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.optim import AmpOptimWrapper

from mmhierseg._base import UserError
from mmhierseg.cli import adapt, adapt_config
from mmhierseg.engine import device


@pytest.fixture(autouse=True)
def use(monkeypatch):
    """Choose the device; without a call, the CPU."""

    def set_device(name):
        for module in (adapt, device):
            monkeypatch.setattr(module, 'get_device', lambda: name)

    set_device('cpu')
    return set_device


def adapted(training=True, **fields):
    """The changed copy; the config itself must not change."""
    cfg = Config(fields)
    before = str(cfg._cfg_dict)
    result = adapt_config(cfg, training)
    assert str(cfg._cfg_dict) == before
    return result


def test_damaged_files_are_refused_everywhere():
    """Images and label maps are loaded by this package's transforms."""
    load = dict(type='LoadImageFromFile', to_float32=True)
    labels = dict(type='mmseg.LoadAnnotations', reduce_zero_label=True)
    others = [dict(type='LoadAnnotations', with_bbox=True),
              dict(type='mine.LoadImageFromFile'),
              dict(type='LoadImageFromFile', file_client_args={})]
    pipeline = [load, [labels], *others]
    dataset = dict(datasets=[dict(pipeline=pipeline)])
    for scope, name in (('mmseg', 'mmhierseg.LoadLabelMap'),
                        ('mmpretrain', 'mmseg.LoadAnnotations')):
        cfg = adapted(
            default_scope=scope, val_dataloader=dict(dataset=dataset),
            custom_hooks=[dict(dataloader=dict(dataset=dataset))])
        for loader in (cfg.val_dataloader, cfg.custom_hooks[0].dataloader):
            assert loader.dataset.datasets[0].pipeline == [
                dict(load, type='mmhierseg.LoadImage'),
                [dict(labels, type=name)], *others]


def amp(kind='AmpOptimWrapper', **options):
    return dict(type=kind, loss_scale='dynamic', **options)


@pytest.mark.parametrize('where, wrapper, expected', [
    ('cpu', amp('mmengine.AmpOptimWrapper', dtype='float16'), 'OptimWrapper'),
    ('cpu', amp(AmpOptimWrapper), 'OptimWrapper'),
    ('cpu', amp(dtype='bfloat16'), 'CPUAutocastOptimWrapper'),
    ('cpu', amp(dtype=torch.bfloat16), 'CPUAutocastOptimWrapper'),
    ('mps', amp(dtype='bfloat16'), 'OptimWrapper'),
])
def test_precision_without_a_gpu(where, wrapper, expected, use):
    use(where)
    wrapper = dict(wrapper, accumulative_counts=2)
    expected = dict(type=expected, accumulative_counts=2)
    assert adapted(optim_wrapper=wrapper).optim_wrapper == expected
    several = dict(constructor='M', generator=wrapper)
    assert adapted(optim_wrapper=several).optim_wrapper.generator == expected
    loops = dict(val_cfg=dict(fp16=True), test_cfg=dict(fp16=True))
    assert not any(adapted(**loops)[key].fp16 for key in loops)
    use('cuda')
    assert adapted(optim_wrapper=wrapper).optim_wrapper == wrapper
    assert all(adapted(**loops)[key].fp16 for key in loops)


@pytest.mark.parametrize('given, expected', [
    (None, dict(type='CPUDistributedDataParallel', device_ids=None,
                find_unused_parameters=False)),
    (dict(type='mine.Wrapper'), dict(type='mine.Wrapper', device_ids=None)),
])
def test_several_processes(given, expected, use):
    options = dict(sync_bn='torch', model_wrapper_cfg=given)
    cfg = adapted(launcher='pytorch', **options)
    assert cfg.sync_bn is None and cfg.model_wrapper_cfg == expected
    one = adapted(launcher='none', **options)
    use('cuda')
    for cfg in (one, adapted(launcher='pytorch', **options)):
        assert cfg.sync_bn == 'torch' and cfg.model_wrapper_cfg == given


def test_checkpoint_hooks_are_replaced():
    first = dict(type='mmengine.CheckpointHook', interval=5)
    second = dict(type=CheckpointHook, interval=5)
    others = [dict(type='MyCheckpointHook'), dict(type='mine.CheckpointHook'),
              'no dict']
    cfg = adapted(
        default_hooks=dict(checkpoint=first, timer=None),
        custom_hooks=[second, *others])
    ours = dict(type='mmhierseg.AtomicCheckpointHook', interval=5)
    assert cfg.default_hooks.checkpoint == cfg.custom_hooks[0] == ours
    assert cfg.default_hooks.timer is None and cfg.custom_hooks[1:] == others


def test_hooks_are_added():
    hooks = adapted().default_hooks
    assert {key: hook.type.split('.')[-1] for key, hook in hooks.items()} == {
        'checkpoint': 'AtomicCheckpointHook',
        'random_state': 'RandomStateHook',
        'label_check': 'LabelCheckHook'
    }
    assert set(adapted(False).default_hooks) == {'checkpoint', 'label_check'}
    # Not twice, and not against one's will.
    own = [dict(type='mmhierseg.LabelCheckHook', interval=10)]
    cfg = adapted(custom_hooks=own, default_hooks=dict(random_state=None))
    assert set(cfg.default_hooks) == {'checkpoint'}
    assert cfg.custom_hooks == own


OWN = dict(pin_memory=True, collate_fn=dict(type='mine'))
DEFAULTS = dict(pin_memory=False, collate_fn=dict(type='default_collate'))


@pytest.mark.parametrize('fields, loader, expected', [
    (dict(default_scope='mmpretrain'), dict(num_workers=2),
     dict(num_workers=2, persistent_workers=True, **DEFAULTS)),
    (dict(default_scope='mmseg', data_preprocessor=dict(
        type='mmpretrain.SelfSupDataPreprocessor')),
     dict(num_workers=0, persistent_workers=True, **OWN),
     dict(num_workers=0, persistent_workers=False, **OWN)),
    (dict(default_scope='mmseg'), dict(num_workers=1), dict(num_workers=1)),
    (dict(default_scope='mmhierseg', model=dict(data_preprocessor=dict(
        type='SuperpixelSegDataPreProcessor'))), dict(num_workers=1),
     dict(num_workers=1)),
])
def test_loaders(fields, loader, expected):
    """Of MMPretrain's configs and of MMSegmentation's."""
    cfg = adapted(test_dataloader=loader, **fields)
    assert cfg.test_dataloader == expected


def sharded(**options):
    return dict(
        dict(
            runner_type='FlexibleRunner',
            launcher='pytorch',
            strategy=dict(type='mmhierseg.ShardedStrategy'),
            optim_wrapper=dict(optimizer=dict(type='AdamW'))), **options)


@pytest.mark.parametrize('name', ['mmengine.FSDPStrategy', 'ShardedStrategy'])
def test_one_process_is_not_sharded(name, use):
    strategy = dict(type=name)
    cfg = adapted(**sharded(launcher='none', strategy=strategy))
    assert cfg.strategy == dict(type='SingleDeviceStrategy')
    assert adapted(**sharded(strategy=strategy)).strategy == strategy


@pytest.mark.parametrize('option, message', [
    (dict(compile=True), 'ignores compile=True: leave it out'),
    (dict(sync_bn='torch'), 'ignores sync_bn.*strategy.sync_bn'),
    (dict(model_wrapper_cfg=dict(type='A')), 'strategy.model_wrapper'),
    (dict(custom_hooks=[dict(type='mmhierseg.PassiveEMAHook')]), 'EMAHook'),
    (dict(optim_wrapper=dict(clip_grad=dict(max_norm=1))), 'one shard'),
    (dict(optim_wrapper=dict(paramwise_cfg=dict(flat_decay_mult=0.))),
     'custom_keys'),
    (dict(optim_wrapper=dict(
        constructor='LearningRateDecayOptimWrapperConstructor')),
     'layer decay')])
def test_settings_that_sharding_would_ignore_or_change(option, message, use):
    use('cuda')
    with pytest.raises(UserError, match=message):
        adapted(**sharded(**option))
