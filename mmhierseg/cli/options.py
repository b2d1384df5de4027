"""Put command-line options into a config.

``--cfg-options`` come first, as if they stood in the config; the other
options override them.
"""

import argparse
import os.path as osp
from copy import deepcopy

from mmengine.config import Config, ConfigDict
from mmengine.config.utils import ConfigParsingError

from mmhierseg._base import UserError
from mmhierseg.cli.adapt import class_name, is_segmentation
from mmhierseg.registry import MODELS

__all__ = [
    'DUMP_SUFFIXES', 'read_config', 'with_test_options', 'with_train_options'
]

# --out names a file if it ends like this, else a folder.
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
            is not a config of a run.
    """
    if not osp.isfile(path):
        raise UserError(
            f'there is no config file {path!r} (in {osp.abspath(".")})')
    try:
        cfg = Config.fromfile(path)
    except (OSError, ImportError, SyntaxError, ConfigParsingError) as error:
        raise UserError(f'{path}: {error}') from error
    if cfg.get('model') is None:
        raise UserError(f'{path} has no `model`: it is not a config of a run, '
                        'but perhaps a part that others are based on')
    return cfg


def with_train_options(cfg: Config, args: argparse.Namespace) -> Config:
    """Add the options of ``tools/train.py`` to a copy of a config."""
    cfg = _with_common_options(cfg, args)
    if cfg.get('train_dataloader') is None:
        raise UserError(
            f'{args.config} has no train_dataloader: there is nothing to '
            'train. Test it: python tools/test.py CONFIG CHECKPOINT')
    if args.amp:
        name = cfg.optim_wrapper.get('type', 'OptimWrapper')
        if name not in ('OptimWrapper', 'AmpOptimWrapper'):
            raise UserError(
                '--amp is for configs with optim_wrapper.type OptimWrapper '
                f'or AmpOptimWrapper, this one has {name!r}')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.resume == 'auto':  # a path that is looked up later
        cfg.resume = 'auto'
    elif args.resume is not None:
        cfg.resume = True
        cfg.load_from = args.resume
    if args.auto_scale_lr:
        if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise UserError(
                '--auto-scale-lr needs the batch size that the learning rate '
                'was chosen for: add --cfg-options '
                'auto_scale_lr.base_batch_size=N')
        cfg.auto_scale_lr.enable = True
    return cfg


def with_test_options(cfg: Config, args: argparse.Namespace) -> Config:
    """Add the options of ``tools/test.py`` to a copy of a config."""
    cfg = _with_common_options(cfg, args)
    for field in ('test_dataloader', 'test_evaluator', 'test_cfg'):
        if cfg.get(field) is None:
            raise UserError(
                f'{args.config} has no {field}, so there is nothing to test. '
                'Configs of self-supervised pre-training have none: test '
                'with the config of a task that the weights were tuned for')
    # Checkpoints of FlexibleRunner's strategies are of the whole model.
    for key in ('runner_type', 'strategy'):
        cfg.pop(key, None)
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show or args.show_dir is not None:
        _enable_drawing(cfg, args)
    if args.tta:
        _enable_tta(cfg)
    if args.out is not None and not args.out.endswith(DUMP_SUFFIXES):
        _enable_label_maps(cfg, args.out)
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
    for field in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if args.no_pin_memory and cfg.get(field) is not None:
            cfg[field].pin_memory = False
    return cfg


def _enable_drawing(cfg: Config, args: argparse.Namespace) -> None:
    if args.tta and not is_segmentation(cfg):
        raise UserError("--tta excludes --show and --show-dir for a "
                        "classifier: MMPretrain's hook draws one image for "
                        'each sample')
    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if hook is None:
        raise UserError(
            '--show and --show-dir need a visualization hook in the config: '
            "default_hooks.visualization=dict(type='VisualizationHook') for "
            "MMPretrain's, 'SegVisualizationHook' for MMSegmentation's")
    hook.update(
        show=args.show, wait_time=args.wait_time, interval=args.interval)
    # This package's own hook is for both.
    if is_segmentation(cfg) or class_name(
            hook) == 'HierarchyVisualizationHook':
        hook.draw = True
        if args.show_dir is not None:
            cfg.visualizer.save_dir = args.show_dir
    else:
        hook.enable = True
        hook.out_dir = args.show_dir


def _enable_label_maps(cfg: Config, folder: str) -> None:
    if not is_segmentation(cfg):
        raise UserError(
            f'--out {folder!r}: for a classifier it is a file whose name '
            f'ends with one of {", ".join(DUMP_SUFFIXES)}')
    evaluators = cfg.test_evaluator
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    writers = [
        evaluator for evaluator in evaluators
        if class_name(evaluator) in _LABEL_MAP_WRITERS
    ]
    if not writers:
        raise UserError(
            f'--out {folder!r} names a folder for label maps, but none of the '
            f'metrics in test_evaluator can write them. Those that can: '
            f'{", ".join(_LABEL_MAP_WRITERS)}')
    for evaluator in writers:
        evaluator.update(output_dir=folder, keep_results=True)


def _enable_tta(cfg: Config) -> None:
    dataset = cfg.test_dataloader.dataset
    while dataset.get('pipeline') is None:
        if not isinstance(dataset.get('dataset'), dict):
            raise UserError(
                '--tta replaces the pipeline of test_dataloader.dataset, but '
                f'{dataset.get("type")} has none. Of several datasets, test '
                'one at a time')
        dataset = dataset.dataset
    if not is_segmentation(cfg):
        cfg.setdefault('tta_model', dict(type='mmpretrain.AverageClsScoreTTA'))
        cfg.setdefault('tta_pipeline', _add_mirror_image(dataset.pipeline))
    missing = [
        name for name in ('tta_model', 'tta_pipeline') if cfg.get(name) is None
    ]
    if missing:
        raise UserError(
            f'--tta needs {" and ".join(missing)} in the config. '
            "MMSegmentation's dataset configs show a tta_pipeline; tta_model "
            "is usually dict(type='SegTTAModel')")
    kind = cfg.model.type
    if isinstance(kind, str) and is_segmentation(cfg):
        kind = MODELS.get(kind)
    if hasattr(kind, 'set_bank'):
        raise UserError(
            f'--tta merges the scores of classes, but {kind.__name__} is '
            'tested by retrieval, which has none: leave it out')
    model = ConfigDict(**cfg.tta_model, module=cfg.model)
    # Otherwise the runner would fill in one from the top of the config, which
    # is another if the config inherits that and changes the model's.
    if cfg.model.get('data_preprocessor') is not None:
        model.data_preprocessor = cfg.model.data_preprocessor
    cfg.model = model
    dataset.pipeline = cfg.tta_pipeline


def _add_mirror_image(pipeline: list[dict]) -> list[dict]:
    """Let a test pipeline give the image and its mirror image.

    Each gets its own superpixels, so these are made behind the flip.
    """
    names = [class_name(transform) for transform in pipeline]
    split = len(pipeline) - 1
    if 'GenerateSuperpixels' in names:
        split = names.index('GenerateSuperpixels')
    mirror = [
        dict(type='RandomFlip', prob=0.),
        dict(type='RandomFlip', prob=1.)
    ]
    rest = [[transform] for transform in pipeline[split:]]
    return [
        *pipeline[:split],
        dict(type='TestTimeAug', transforms=[mirror, *rest])
    ]
