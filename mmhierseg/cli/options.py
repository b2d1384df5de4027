"""Command-line options of ``tools/train.py`` and ``tools/test.py``.

``--cfg-options`` are merged into the config first; the others override them.
"""

import argparse
import os
import os.path as osp
from copy import deepcopy

from mmengine.config import Config, ConfigDict, DictAction
from mmengine.config.utils import ConfigParsingError
from yaml import YAMLError

from mmhierseg._base import UserError
from mmhierseg._base.safe_load import safe_reading
from mmhierseg.cli.adapt import LOADERS, class_name, is_segmentation
from mmhierseg.registry import MODELS

# --out is a file with one of these suffixes, or a folder.
DUMP_SUFFIXES = ('.pkl', '.pickle', '.json', '.yaml', '.yml')
# MMSegmentation's metrics of label maps.
_LABEL_MAP_WRITERS = ('CityscapesMetric', 'IoUMetric')

_FLAG = dict(action='store_true')
_COMMON = {
    '--work-dir': dict(help='folder for logs and checkpoints'),
    '--cfg-options': dict(
        nargs='+', action=DictAction, default={}, metavar='KEY=VALUE',
        help='override settings of the config; a list is key="[a,b]" or '
        'key=a,b, a nested one key="[(a,b),(c,d)]", without white space'),
    '--no-pin-memory': dict(_FLAG, help='do not pin memory in data loaders'),
    '--launcher': dict(
        choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
        help='how the processes were started'),
}
_TRAIN = {
    '--resume': dict(
        nargs='?', const='auto', metavar='CHECKPOINT',
        help='continue from a checkpoint, by default from the latest one in '
        'the work directory, if there is any'),
    '--amp': dict(_FLAG, help='train in mixed precision, if there is a GPU'),
    '--no-validate': dict(_FLAG, help='do not evaluate during training'),
    '--auto-scale-lr': dict(
        _FLAG, help='scale the learning rate with the total batch size'),
    '--print-config': dict(
        _FLAG, help='print the config that would be trained, and stop'),
}
_TEST = {
    'checkpoint': dict(help='checkpoint file'),
    '--out': dict(
        help='.pkl file for predictions, or .pkl, .json or .yaml file for '
        'metrics, or folder for the label maps of a segmentor'),
    '--out-item': dict(
        choices=['metrics', 'pred'], help='content of the file --out'),
    '--tta': dict(
        _FLAG,
        help='test-time augmentation: tta_model and tta_pipeline of the '
        'config, or for a classifier without them, its mirror image'),
    '--amp': dict(_FLAG, help='test in mixed precision'),
    '--show': dict(_FLAG, help='show predictions in a window'),
    '--show-dir': dict(help='folder to draw predictions into'),
    '--interval': dict(type=int, default=1, help='draw every n-th image'),
    '--wait-time': dict(
        type=float, default=2, help='seconds that a window is shown'),
}


def parse_train_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the options of ``tools/train.py``."""
    return _parse(_TRAIN, argv)[0]


def parse_test_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the options of ``tools/test.py``."""
    args, parser = _parse(_TEST, argv)
    if args.out_item is not None and args.out is None:
        parser.error('--out-item needs --out')
    if (args.out is not None and args.out_item != 'metrics'
            and args.out.endswith(DUMP_SUFFIXES[2:])):
        parser.error(f'--out {args.out}: predictions go to a .pkl file; add '
                     '--out-item metrics for the metrics')
    return args


def _parse(options: dict, argv: list[str] | None):
    parser = argparse.ArgumentParser()
    parser.add_argument('config', help='config file')
    for name, settings in {**options, **_COMMON}.items():
        parser.add_argument(name, **settings)
    # From torch.distributed.launch; torchrun sets LOCAL_RANK instead.
    parser.add_argument(
        '--local-rank', '--local_rank', default=0, help=argparse.SUPPRESS)
    try:
        args = parser.parse_args(argv)
    # From DictAction; the last two if brackets or quotes do not match.
    except (ValueError, AssertionError, RecursionError) as error:
        parser.error('--cfg-options takes KEY=VALUE, where VALUE is a number, '
                     f'a word, or a list of such: {error}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args, parser


def read_config(path: str) -> Config:
    """Read the config file of a run."""
    if not osp.isfile(path):
        raise UserError(
            f'there is no config file {path!r} (in {osp.abspath(".")})')
    try:
        with safe_reading():
            cfg = Config.fromfile(path)
    # The first two if it is no mapping, or contains itself.
    except (AttributeError, RecursionError, OSError, ImportError, SyntaxError,
            ConfigParsingError, UserError, YAMLError) as error:
        raise UserError(f'{path}: {error}') from error
    if cfg.get('model') is None:
        raise UserError(f'{path} has no `model`: it is not a config of a run, '
                        'but perhaps a part that others inherit')
    return cfg


def with_train_options(cfg: Config, args: argparse.Namespace) -> Config:
    """Add the options of ``tools/train.py`` to a copy of a config."""
    cfg = _with_common_options(cfg, args, 'train_dataloader')
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
        cfg.update(resume=True, load_from=args.resume)
    if args.auto_scale_lr:
        if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise UserError(
                '--auto-scale-lr needs the batch size that the learning rate '
                'is for: --cfg-options auto_scale_lr.base_batch_size=N')
        cfg.auto_scale_lr.enable = True
    return cfg


def with_test_options(cfg: Config, args: argparse.Namespace) -> Config:
    """Add the options of ``tools/test.py`` to a copy of a config."""
    cfg = _with_common_options(cfg, args, 'test_dataloader', 'test_evaluator',
                               'test_cfg')
    # Checkpoints of FlexibleRunner's strategies hold the whole model.
    for key in ('runner_type', 'strategy'):
        cfg.pop(key, None)
    cfg.update(load_from=args.checkpoint, resume=False)
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show or args.show_dir is not None:
        _enable_drawing(cfg, args)
    if args.tta:
        _enable_tta(cfg)
    if args.out is not None and not args.out.endswith(DUMP_SUFFIXES):
        _enable_label_maps(cfg, args.out)
    return cfg


def _with_common_options(cfg: Config, args: argparse.Namespace,
                         *needed: str) -> Config:
    cfg = deepcopy(cfg)
    cfg.merge_from_dict(args.cfg_options)
    for field in needed:
        if cfg.get(field) in (None, []):  # [] evaluates nothing
            raise UserError(
                f'{args.config} has no {field}: there is nothing to '
                f'{needed[0][:-len("_dataloader")]}. Some configs are only '
                'for tools/train.py, others only for tools/test.py')
    cfg.launcher = args.launcher
    name = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = (
        args.work_dir or cfg.get('work_dir') or osp.join('work_dirs', name))
    for field in LOADERS:
        if args.no_pin_memory and cfg.get(field) is not None:
            cfg[field].pin_memory = False
    return cfg


def _enable_drawing(cfg: Config, args: argparse.Namespace) -> None:
    segmentation = is_segmentation(cfg)
    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if args.tta and not segmentation:
        raise UserError('--tta excludes --show and --show-dir for a '
                        'classifier: its hook draws one image per sample')
    if hook is None:
        raise UserError('--show and --show-dir need a hook in '
                        'default_hooks.visualization of the config')
    hook.update(
        show=args.show, wait_time=args.wait_time, interval=args.interval)
    # This package's hook is for both.
    if segmentation or class_name(hook) == 'HierarchyVisualizationHook':
        hook.draw = True
        if args.show_dir is not None:
            cfg.visualizer.save_dir = args.show_dir
    else:
        hook.enable = True
        hook.out_dir = args.show_dir
        if args.show_dir is not None:
            _add_hook(cfg, 'UniqueNamesHook', writer=class_name(hook))


def _enable_label_maps(cfg: Config, folder: str) -> None:
    evaluators = cfg.test_evaluator
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    writers = [e for e in evaluators if class_name(e) in _LABEL_MAP_WRITERS]
    if not writers:
        raise UserError(
            f'--out {folder!r} is a folder for label maps, which takes one of '
            f'{", ".join(_LABEL_MAP_WRITERS)} in test_evaluator. The name of '
            f'a file ends with one of {", ".join(DUMP_SUFFIXES)}')
    for evaluator in writers:
        # It evaluates the files that it writes, in Cityscapes' own ids.
        if class_name(evaluator) == 'CityscapesMetric':
            evaluator.update(output_dir=folder, keep_results=True)
            _add_hook(cfg, 'UniqueNamesHook', writer='CityscapesMetric')
            return
    _add_hook(cfg, 'SaveLabelMapsHook', out_dir=folder)


def _add_hook(cfg: Config, name: str, **options) -> None:
    hook = ConfigDict(type=f'mmhierseg.{name}', **options)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]


def _enable_tta(cfg: Config) -> None:
    dataset = cfg.test_dataloader.dataset
    while dataset.get('pipeline') is None and 'dataset' in dataset:
        dataset = dataset.dataset
    if not is_segmentation(cfg):
        cfg.setdefault('tta_model', dict(type='mmpretrain.AverageClsScoreTTA'))
        cfg.setdefault('tta_pipeline', _add_mirror_image(dataset.pipeline))
    if cfg.get('tta_model') is None or cfg.get('tta_pipeline') is None:
        raise UserError("--tta needs tta_model (dict(type='SegTTAModel')) and "
                        "tta_pipeline, as in MMSegmentation's dataset configs")
    kind = cfg.model.type
    if isinstance(kind, str) and is_segmentation(cfg):
        kind = MODELS.get(kind)
    if hasattr(kind, 'set_bank'):
        raise UserError(
            f'--tta merges the scores of classes, but {kind.__name__} is '
            'tested by retrieval, which has none: leave it out')
    model = ConfigDict(**cfg.tta_model, module=cfg.model)
    # Otherwise the runner would use the one at the top of the config.
    if cfg.model.get('data_preprocessor') is not None:
        model.data_preprocessor = cfg.model.data_preprocessor
    cfg.model = model
    dataset.pipeline = cfg.tta_pipeline


def _add_mirror_image(pipeline: list[dict]) -> list[dict]:
    """Add the mirror image to a pipeline, with its own superpixels."""
    names = [class_name(transform) for transform in pipeline[:-1]]
    # The last transform packs.
    split = [*names, 'GenerateSuperpixels'].index('GenerateSuperpixels')
    mirror = [dict(type='RandomFlip', prob=prob) for prob in (0., 1.)]
    rest = [[transform] for transform in pipeline[split:]]
    return [
        *pipeline[:split],
        dict(type='TestTimeAug', transforms=[mirror, *rest])
    ]
