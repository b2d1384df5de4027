"""Adapt a config to the machine and to this package."""

from copy import deepcopy

import torch
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.logging import MMLogger

from mmhierseg._base import UserError
from mmhierseg.engine.device import has_accelerator

#: Packages whose classes may be replaced by ours; not those of users.
_HOSTS = ('mmcv', 'mmengine', 'mmpretrain', 'mmseg')
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Settings of Runner that FlexibleRunner ignores.
_IGNORED = ('compile', 'find_unused_parameters', 'model_wrapper_cfg',
             'sync_bn')


def adapt_config(cfg: Config, training: bool = True) -> Config:
    """Adapt a config to the machine and to this package.

    ``tools/train.py`` and ``tools/test.py`` apply it to every config:

    * Without a GPU, ``AmpOptimWrapper`` becomes bfloat16 autocast or full
      precision, evaluation is in full precision, and several processes get a
      model wrapper for the CPU.
    * A sharded strategy in a single process becomes
      ``SingleDeviceStrategy``.
    * Loaders get MMPretrain's defaults, and ``persistent_workers`` is off
      without workers.
    * OpenMMLab's ``LoadImageFromFile`` and ``LoadAnnotations`` become
      ``LoadImage`` and ``LoadLabelMap``, which refuse damaged and too large
      files.
    * ``CheckpointHook`` becomes ``AtomicCheckpointHook``; ``RandomStateHook``
      and ``LabelCheckHook`` are added (``default_hooks=dict(
      random_state=None, label_check=None)`` disables them).

    Args:
        cfg (Config): Config of a runner, with ``launcher`` if it is for
            several processes. Not changed.
        training (bool): Whether the model will be trained.

    Returns:
        Config: A changed copy.

    Raises:
        UserError: If FlexibleRunner would ignore a setting, or sharding would
            change its meaning.
    """
    cfg = deepcopy(cfg)
    if class_name(cfg, 'runner_type') == 'FlexibleRunner':
        _adapt_strategy(cfg)
    if not has_accelerator():
        if training and cfg.get('optim_wrapper') is not None:
            _replace_amp(cfg.optim_wrapper)
        for loop in ('val_cfg', 'test_cfg'):
            if (cfg.get(loop) or {}).get('fp16'):
                cfg[loop].fp16 = False
        if cfg.get('launcher', 'none') != 'none':
            # The wrapper turns SyncBN into BN; this would undo it.
            cfg.sync_bn = None
            cfg.model_wrapper_cfg = _cpu_wrapper(cfg)
    for name in LOADERS:
        if cfg.get(name) is not None:
            cfg[name] = _adapt_loader(cfg[name], is_segmentation(cfg))
    for name in (*LOADERS, 'custom_hooks'):
        _check_files(cfg.get(name), is_segmentation(cfg))
    _adapt_hooks(cfg, training)
    return cfg


def class_name(cfg: dict, key: str = 'type') -> str:
    """Name of a class in a config, without its scope; '' if there is none."""
    kind = cfg.get(key) or ''
    return getattr(kind, '__name__', str(kind)).split('.')[-1]


def _host_class(cfg: dict) -> str:
    """Name of a class of OpenMMLab's packages; '' of other classes."""
    kind, name = cfg.get('type') or '', class_name(cfg)
    package = getattr(kind, '__module__', str(kind)).split('.')[0]
    return name if package in (*_HOSTS, name) else ''


def is_segmentation(cfg: Config) -> bool:
    """Whether a config follows MMSegmentation rather than MMPretrain.

    The data preprocessor decides, or else the default scope.
    """
    model = cfg.get('model') or {}
    name = class_name(
        model.get('data_preprocessor') or cfg.get('data_preprocessor') or {})
    if name.endswith('SegDataPreProcessor'):
        return True
    if name.endswith(('ClsDataPreprocessor', 'SelfSupDataPreprocessor')):
        return False
    return cfg.get('default_scope') == 'mmseg'


def _adapt_strategy(cfg: Config) -> None:
    for key in _IGNORED:
        if cfg.get(key):
            raise UserError(f'FlexibleRunner ignores {key}={cfg[key]!r}: '
                            'leave it out, or set strategy.model_wrapper or '
                            'strategy.sync_bn')
    name = class_name(cfg.get('strategy') or {})
    if name not in ('FSDPStrategy', 'ShardedStrategy'):
        return
    wrapper = cfg.get('optim_wrapper') or {}
    unsupported = {
        'EMAHook, which cannot copy it':
        any(class_name(hook).endswith('EMAHook')
            for hook in cfg.get('custom_hooks') or ()),
        'optim_wrapper.clip_grad, which takes the norm of one shard':
        wrapper.get('clip_grad'),
        'flat_decay_mult and layer decay, which distinguish vectors from '
        'matrices (norm_decay_mult, bias_decay_mult and custom_keys can)':
        'flat_decay_mult' in (wrapper.get('paramwise_cfg') or {})
        or class_name(wrapper, 'constructor').startswith(
            ('LearningRateDecay', 'LayerDecay')),
    }
    for setting, found in unsupported.items():
        if found:
            raise UserError(f'a sharded model cannot be trained with {setting}'
                            ": leave it out, or use MMEngine's Runner")
    if cfg.get('launcher', 'none') == 'none':
        MMLogger.get_current_instance().warning(
            f'{name} shards a model among several processes and there is only '
            'one: training with SingleDeviceStrategy. tools/dist_train.sh '
            'starts several.')
        cfg.strategy = dict(type='SingleDeviceStrategy')


def _replace_amp(optim_wrapper: dict) -> None:
    """Replace AmpOptimWrapper, whose gradient scaler needs a GPU."""
    if class_name(optim_wrapper) == 'AmpOptimWrapper':
        # bfloat16 needs no scaler; autocast to it is for CPUs, not for MPS.
        low = optim_wrapper.get('dtype') in ('bfloat16', torch.bfloat16)
        low = low and get_device() == 'cpu'
        name = 'CPUAutocastOptimWrapper' if low else 'OptimWrapper'
        MMLogger.get_current_instance().warning(
            'AmpOptimWrapper needs a GPU and there is none: training in '
            f'{"bfloat16" if low else "full precision"} with {name}.')
        optim_wrapper['type'] = name
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            optim_wrapper.pop(key, None)
    for value in optim_wrapper.values():
        if isinstance(value, dict):
            _replace_amp(value)


def _cpu_wrapper(cfg: Config) -> dict:
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        find_unused_parameters=cfg.get('find_unused_parameters', False))
    if class_name(wrapper) in ('', 'DistributedDataParallel',
                               'MMDistributedDataParallel'):
        wrapper['type'] = 'CPUDistributedDataParallel'
    return dict(wrapper, device_ids=None)


def _adapt_loader(loader: ConfigDict, segmentation: bool) -> ConfigDict:
    """Add the defaults that MMPretrain's tools set."""
    has_workers = loader.get('num_workers', 0) > 0
    if not segmentation:
        loader = ConfigDict(
            dict(
                pin_memory=has_accelerator(),
                persistent_workers=has_workers,
                collate_fn=dict(type='default_collate')), **loader)
    if not has_workers:  # PyTorch would raise an error
        loader.persistent_workers = False
    return loader


def _check_files(node: dict | list | None, segmentation: bool) -> None:
    """Load images and label maps with this package's transforms."""
    if isinstance(node, (list, tuple)):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return
    name, options = _host_class(node), set(node) - {'type'}
    if name == 'LoadImageFromFile' and 'file_client_args' not in options:
        node['type'] = 'mmhierseg.LoadImage'
    elif (name == 'LoadAnnotations' and segmentation
          and options <= {'reduce_zero_label', 'backend_args'}):
        node['type'] = 'mmhierseg.LoadLabelMap'
    for value in node.values():
        _check_files(value, segmentation)


def _adapt_hooks(cfg: Config, training: bool) -> None:
    cfg.default_hooks = cfg.get('default_hooks') or {}
    hooks = cfg.default_hooks
    # The runner would add it.
    hooks.setdefault('checkpoint', dict(type='CheckpointHook'))
    names = set()
    for hook in [*hooks.values(), *(cfg.get('custom_hooks') or [])]:
        if isinstance(hook, dict):
            names.add(class_name(hook))
            if _host_class(hook) == 'CheckpointHook':
                hook['type'] = 'mmhierseg.AtomicCheckpointHook'
    added = dict(label_check='LabelCheckHook')
    if training:
        added['random_state'] = 'RandomStateHook'
    for key, name in added.items():
        if key in hooks and hooks[key] is None:
            hooks.pop(key)
        elif name not in names:
            hooks.setdefault(key, dict(type=f'mmhierseg.{name}'))
