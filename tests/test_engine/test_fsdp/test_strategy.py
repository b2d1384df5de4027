import pytest
from mmengine.config import Config

from mmhierseg._base.errors import UserError
from mmhierseg.engine.fsdp.strategy import for_strategy, without_strategy


def config(**options):
    return Config(
        dict(
            dict(
                runner_type='FlexibleRunner',
                launcher='pytorch',
                strategy=dict(type='mmhierseg.ShardedStrategy'),
                optim_wrapper=dict(optimizer=dict(type='AdamW'))), **options))


def test_other_configs_are_left_alone():
    cfg = Config(dict(launcher='none', sync_bn='torch', compile=True))
    assert for_strategy(cfg) is cfg
    assert without_strategy(cfg) is cfg


def test_several_processes_are_sharded():
    cfg = config()
    assert for_strategy(cfg) is cfg


@pytest.mark.parametrize('name', [
    'FSDPStrategy', 'mmengine.FSDPStrategy', 'mmhierseg.ShardedStrategy'])
def test_one_process_is_not(name):
    cfg = config(launcher='none', strategy=dict(type=name))
    assert for_strategy(cfg).strategy == dict(type='SingleDeviceStrategy')
    assert cfg.strategy.type == name


def test_testing_takes_the_plain_runner():
    cfg = without_strategy(config(model=dict(type='A')))
    assert cfg.model == dict(type='A')
    assert 'runner_type' not in cfg and 'strategy' not in cfg


@pytest.mark.parametrize('option, remedy', [
    (dict(compile=True), 'leave it out'),
    (dict(sync_bn='torch'), 'strategy.sync_bn'),
    (dict(find_unused_parameters=True), 'strategy.model_wrapper'),
    (dict(model_wrapper_cfg=dict(type='A')), 'strategy.model_wrapper')])
def test_what_flexible_runner_does_not_read(option, remedy):
    for strategy in (None, dict(type='mmhierseg.ShardedStrategy')):
        with pytest.raises(UserError, match=remedy):
            for_strategy(config(strategy=strategy, **option))


@pytest.mark.parametrize('option, message', [
    (dict(custom_hooks=[dict(type='EMAHook')]), 'EMAHook cannot copy'),
    (dict(optim_wrapper=dict(clip_grad=dict(max_norm=1))), 'own share'),
    (dict(optim_wrapper=dict(paramwise_cfg=dict(flat_decay_mult=0.))),
     'custom_keys'),
    (dict(optim_wrapper=dict(
        constructor='LearningRateDecayOptimWrapperConstructor')),
     'are all vectors')])
def test_what_sharding_would_change(option, message):
    with pytest.raises(UserError, match=message):
        for_strategy(config(**option))
    # Unsharded, it does what it says.
    cfg = config(strategy=dict(type='DDPStrategy'), **option)
    assert for_strategy(cfg) is cfg
