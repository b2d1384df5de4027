"""Put command-line options into a config.

Configs written for MMPretrain and for MMSegmentation are served alike; where
the two differ (collating, drawing, test-time augmentation, output), the data
preprocessor or the default scope of the config decides.

``--cfg-options`` come first, as if they stood in the config; the other
options override them.
"""

import argparse
import os.path as osp
from copy import deepcopy

from mmengine.config import Config, ConfigDict
from mmengine.config.utils import ConfigParsingError

from mmhierseg._base.errors import UserError
from mmhierseg.cli.tta import with_test_time_augmentation
from mmhierseg.engine.device import has_accelerator

__all__ = [
    'DUMP_SUFFIXES', 'is_segmentation', 'read_config', 'with_test_options',
    'with_train_options'
]

# Where --out names a file of these kinds it is dumped to, else it is a folder.
DUMP_SUFFIXES = ('.pkl', '.pickle', '.json', '.yaml', '.yml')
# MMSegmentation's metrics that take `output_dir`.
_LABEL_MAP_WRITERS = ('CityscapesMetric', 'IoUMetric')


def read_config(path: str) -> Config:
    """Read a config file.

    Args:
        path (str): Its path.

    Returns:
        Config: The config.

    Raises:
        UserError: If it, or a config that it is based on, is missing or
            no config of a run.
    """
    if not osp.isfile(path):
        raise UserError(
            f'there is no config file {path!r} (in {osp.abspath(".")})')
    try:
        cfg = Config.fromfile(path)
    except (OSError, ImportError, SyntaxError, ConfigParsingError) as error:
        raise UserError(f'{path}: {error}') from error
    if cfg.get('model') is None:
        raise UserError(f'{path} has no `model`: it is no config of a run, '
                           'but perhaps a part that others are based on')
    return cfg


def is_segmentation(cfg: Config) -> bool:
    """Tell whether a config follows MMSegmentation rather than MMPretrain.

    The name of the data preprocessor tells, for it is what takes the batch
    from the loader; where it is of neither family, or left out, the default
    scope does.

    Args:
        cfg (Config): Config of a runner.

    Returns:
        bool: Whether it does.

    Example:
        >>> is_segmentation(Config(dict(default_scope='mmseg')))
        True
        >>> is_segmentation(Config(dict(
        ...     data_preprocessor=dict(type='SelfSupDataPreprocessor'))))
        False
    """
    model = cfg.get('model') or {}
    preprocessor = model.get('data_preprocessor') or cfg.get(
        'data_preprocessor') or {}
    name = preprocessor.get('type') or ''
    name = getattr(name, '__name__', name)
    if name.endswith('SegDataPreProcessor'):
        return True
    if name.endswith(('ClsDataPreprocessor', 'SelfSupDataPreprocessor')):
        return False
    return cfg.get('default_scope') == 'mmseg'


def with_train_options(cfg: Config, args: argparse.Namespace) -> Config:
    """Add the options of ``tools/train.py`` to a config.

    Args:
        cfg (Config): The config as it was read.
        args (argparse.Namespace): From :func:`parse_train_args`.

    Returns:
        Config: A changed copy.

    Raises:
        UserError: If an option does not fit the config.
    """
    cfg = _with_common_options(cfg, args)
    if args.amp:
        _enable_amp(cfg)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.resume is not None:
        _resume(cfg, args.resume)
    if cfg.get('train_dataloader') is None:
        raise UserError(f'{args.config} has no train_dataloader, so there '
                           'is nothing to train on')
    if args.auto_scale_lr:
        if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise UserError(
                '--auto-scale-lr needs the batch size that the learning rate '
                'was chosen for: add --cfg-options '
                'auto_scale_lr.base_batch_size=N')
        cfg.auto_scale_lr.enable = True
    for field in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        _set_loader_defaults(cfg, field, not args.no_pin_memory)
    return cfg


def with_test_options(cfg: Config, args: argparse.Namespace) -> Config:
    """Add the options of ``tools/test.py`` to a config.

    Args:
        cfg (Config): The config as it was read.
        args (argparse.Namespace): From :func:`parse_test_args`.

    Returns:
        Config: A changed copy.

    Raises:
        UserError: If the config has nothing to test, or an option does
            not fit it.
    """
    cfg = _with_common_options(cfg, args)
    for field in ('test_dataloader', 'test_evaluator', 'test_cfg'):
        if cfg.get(field) is None:
            raise UserError(
                f'{args.config} has no {field}, so there is nothing to test. '
                'Configs of self-supervised pre-training have none: test '
                'with the config of a task that the weights were tuned for')
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show or args.show_dir is not None:
        if args.tta and not is_segmentation(cfg):
            raise UserError('--tta does not go with --show and --show-dir '
                               "for a classifier: MMPretrain's hook draws one "
                               'image for each sample')
        _enable_drawing(cfg, args)
    if args.tta:
        cfg = with_test_time_augmentation(cfg, is_segmentation(cfg))
    if args.out is not None and not args.out.endswith(DUMP_SUFFIXES):
        _enable_label_maps(cfg, args.out)
    _set_loader_defaults(cfg, 'test_dataloader', not args.no_pin_memory)
    return cfg


def _with_common_options(cfg: Config, args: argparse.Namespace) -> Config:
    cfg = deepcopy(cfg)
    cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    return cfg


def _resume(cfg: Config, checkpoint: str) -> None:
    """Go on from a checkpoint, or from the run's latest: 'auto'.

    Which one that is, and whether it can be read, is looked up later. A run
    that has none yet starts as its config says, ``load_from`` included: the
    same command line then serves its first start and every other.
    """
    if checkpoint == 'auto':
        cfg.resume = 'auto'
        return
    cfg.resume = True
    cfg.load_from = checkpoint


def _enable_amp(cfg: Config) -> None:
    name = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if name not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise UserError(
            '--amp is for configs with optim_wrapper.type OptimWrapper or '
            f'AmpOptimWrapper, this one has {name!r}')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _set_loader_defaults(cfg: Config, field: str, pin_memory: bool) -> None:
    """Add what MMPretrain's configs leave to its tools.

    They want samples collated to tensors (MMEngine's own default, a list of
    samples, is what MMSegmentation's want), pinned memory and workers that
    stay. The latter two are only set where they are possible.
    """
    loader = cfg.get(field)
    if loader is None:
        return
    has_workers = loader.get('num_workers', 0) > 0
    if not is_segmentation(cfg):
        defaults = ConfigDict(
            pin_memory=has_accelerator(),
            persistent_workers=has_workers,
            collate_fn=dict(type='default_collate'))
        defaults.update(loader)
        # A config stores a copy.
        cfg[field] = defaults
        loader = cfg[field]
    if not has_workers:
        # PyTorch takes the combination for an error, but num_workers=0 is a
        # usual thing to set from the command line.
        loader.persistent_workers = False
    if not pin_memory:
        loader.pin_memory = False


def _enable_drawing(cfg: Config, args: argparse.Namespace) -> None:
    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if hook is None:
        raise UserError(
            '--show and --show-dir need a visualization hook in the config: '
            "default_hooks.visualization=dict(type='VisualizationHook') for "
            "MMPretrain's, 'SegVisualizationHook' for MMSegmentation's")
    hook.update(
        show=args.show, wait_time=args.wait_time, interval=args.interval)
    # This package's own hook serves both.
    name = str(getattr(hook.type, '__name__', hook.type))
    if is_segmentation(cfg) or name.endswith('HierarchyVisualizationHook'):
        hook.draw = True
        if args.show_dir is not None:
            cfg.visualizer.save_dir = args.show_dir
    else:
        hook.enable = True
        hook.out_dir = args.show_dir


def _enable_label_maps(cfg: Config, folder: str) -> None:
    """Let the metrics of a segmentor write the predicted label maps."""
    if not is_segmentation(cfg):
        raise UserError(
            f'--out {folder!r}: for a classifier it is a file whose name '
            f'ends with one of {", ".join(DUMP_SUFFIXES)}')
    evaluators = cfg.test_evaluator
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    writers = [
        evaluator for evaluator in evaluators
        if str(evaluator.get('type')).split('.')[-1] in _LABEL_MAP_WRITERS
    ]
    if not writers:
        raise UserError(
            f'--out {folder!r} names a folder for label maps, but none of the '
            f'metrics in test_evaluator can write them. Those that can: '
            f'{", ".join(_LABEL_MAP_WRITERS)}')
    for evaluator in writers:
        evaluator.update(output_dir=folder, keep_results=True)
