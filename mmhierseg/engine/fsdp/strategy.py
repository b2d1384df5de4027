"""What configs of MMEngine's FlexibleRunner need beside those of Runner.

The FlexibleRunner reads neither ``sync_bn`` nor ``model_wrapper_cfg``,
``find_unused_parameters`` and ``compile``, and sharded parameters are flat
pieces, which several parts of a recipe would take for something else. Neither
is told by MMEngine: such a run would train, but not as its config says.
"""

from copy import deepcopy
from logging import WARNING
from typing import Optional

from mmengine.config import Config
from mmengine.logging import print_log

from mmhierseg._base.errors import UserError

__all__ = ['for_strategy', 'is_flexible', 'without_strategy']

_SHARDING = ('FSDPStrategy', 'ShardedStrategy')
# Of the top level, where they are for Runner, and where to have them.
_NOT_READ = dict(
    compile='is not passed on by FlexibleRunner: leave it out',
    find_unused_parameters='belongs into strategy.model_wrapper',
    model_wrapper_cfg='belongs into strategy.model_wrapper',
    sync_bn='belongs into strategy.sync_bn')


def is_flexible(cfg: Config) -> bool:
    """Tell whether a config is for FlexibleRunner.

    Args:
        cfg (Config): Config of a runner.

    Returns:
        bool: Whether it is.

    Example:
        >>> is_flexible(Config(dict(runner_type='FlexibleRunner')))
        True
        >>> is_flexible(Config(dict()))
        False
    """
    return _name(cfg.get('runner_type')) == 'FlexibleRunner'


def for_strategy(cfg: Config) -> Config:
    """Check that a training config means with a strategy what it says.

    Args:
        cfg (Config): Config of a runner, with ``launcher`` set.

    Returns:
        Config: ``cfg`` itself, or a changed copy, of which a warning is
            logged, if a model is to be sharded among one process.

    Raises:
        UserError: If a setting would be ignored, or would not do under
            sharding what it does without.
    """
    if not is_flexible(cfg):
        return cfg
    for key, remedy in _NOT_READ.items():
        if cfg.get(key):
            raise UserError(f'{key}={cfg[key]!r} of a config with '
                               f'runner_type FlexibleRunner {remedy}')
    strategy = cfg.get('strategy') or {}
    if _name(strategy.get('type')) not in _SHARDING:
        return cfg
    _check_sharded(cfg)
    if cfg.get('launcher', 'none') != 'none':
        return cfg
    print_log(
        f'{_name(strategy.type)} shards a model among several processes and '
        'this is a single one: training with SingleDeviceStrategy. Several '
        'are started by tools/dist_train.sh.',
        logger='current',
        level=WARNING)
    cfg = deepcopy(cfg)
    cfg.strategy = dict(type='SingleDeviceStrategy')
    return cfg


def without_strategy(cfg: Config) -> Config:
    """Test with the plain Runner: checkpoints are of the whole model.

    Args:
        cfg (Config): Config of a runner.

    Returns:
        Config: ``cfg`` itself if it is for Runner, else a changed copy.
    """
    if not is_flexible(cfg):
        return cfg
    cfg = deepcopy(cfg)
    for key in ('runner_type', 'strategy'):
        cfg.pop(key, None)
    return cfg


def _check_sharded(cfg: Config) -> None:
    """Refuse what takes pieces of parameters for whole ones."""
    for hook in cfg.get('custom_hooks') or []:
        if _name(hook.get('type')) == 'EMAHook':
            raise UserError(
                'EMAHook cannot copy a model that is sharded: leave it out '
                "of custom_hooks, or train with MMEngine's Runner")
    wrapper = cfg.get('optim_wrapper') or {}
    if wrapper.get('clip_grad'):
        raise UserError(
            "optim_wrapper.clip_grad would clip by the norm of a process's "
            'own share of the gradient: sharded training goes without')
    paramwise = wrapper.get('paramwise_cfg') or {}
    constructor = _name(wrapper.get('constructor')) or ''
    if 'flat_decay_mult' in paramwise or constructor.startswith(
            ('LearningRateDecay', 'LayerDecay')):
        raise UserError(
            'optim_wrapper tells vectors from matrices (flat_decay_mult, '
            'layer decay), but the shares of sharded parameters are all '
            'vectors: use norm_decay_mult, bias_decay_mult and custom_keys, '
            'which go by names')


def _name(kind: object) -> Optional[str]:
    """Name of a class that is given as such or by its name in a scope."""
    if kind is None:
        return None
    return getattr(kind, '__name__', str(kind)).split('.')[-1]
