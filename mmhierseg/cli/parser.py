"""Command-line options of ``tools/train.py`` and ``tools/test.py``.

They are those of the ecosystem's own tools. Where MMPretrain's and
MMSegmentation's differ, both meanings are served: see the help texts.
"""

import argparse
import os

from mmengine.config import DictAction

__all__ = ['parse_test_args', 'parse_train_args']

_COMMON = {
    '--work-dir': dict(
        help='folder for logs and checkpoints (default: work_dir of the '
        "config, or work_dirs/ and the config's name)"),
    '--cfg-options': dict(
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override settings of the config, e.g. '
        'train_dataloader.batch_size=8 model.backbone.depth=50. A list is '
        'written key="[a,b]" or key=a,b, nested ones key="[(a,b),(c,d)]", '
        'without white space'),
    '--no-pin-memory': dict(
        action='store_true', help='do not pin memory in data loaders'),
    '--launcher': dict(
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes were started (default: none, one process)'),
}
_TRAIN = {
    'config': dict(help='config file'),
    '--resume': dict(
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue a run: from the checkpoint if one is named, else from '
        'the latest one in the work directory, if there is any'),
    '--amp': dict(
        action='store_true',
        help='train in mixed precision (without a GPU, in full precision)'),
    '--no-validate': dict(
        action='store_true', help='do not evaluate during training'),
    '--auto-scale-lr': dict(
        action='store_true',
        help='scale the learning rate by the actual total batch size over '
        'auto_scale_lr.base_batch_size of the config'),
    '--print-config': dict(
        action='store_true',
        help='print the config that would be trained, with all options and '
        'adapted to this machine, and stop'),
}
_TEST = {
    'config': dict(help='config file'),
    'checkpoint': dict(help='checkpoint file'),
    '--out': dict(
        help='where to write results: a .pkl file for the predictions or, '
        'with --out-item metrics, a .pkl, .json or .yaml file for the '
        'metrics; any other name is a folder for the predicted label maps of '
        'a segmentor'),
    '--out-item': dict(
        choices=['metrics', 'pred'],
        help='what to write to the file --out (default: pred)'),
    '--tta': dict(
        action='store_true',
        help='test-time augmentation: tta_model and tta_pipeline of the '
        'config, or, for a classifier without them, the mean score of the '
        'image and its mirror image'),
    '--amp': dict(action='store_true', help='test in mixed precision'),
    '--show': dict(action='store_true', help='show predictions in a window'),
    '--show-dir': dict(help='folder to draw predictions into'),
    '--interval': dict(
        type=int,
        default=1,
        help='draw every n-th image (default: 1); MMSegmentation heeds it in '
        'validation only'),
    '--wait-time': dict(
        type=float,
        default=2,
        help='seconds that a window is shown (default: 2)'),
}


def parse_train_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the options of ``tools/train.py``."""
    parser = _parser('Train a model, without a GPU on the CPU.', _TRAIN)
    return _parse(parser, argv)


def parse_test_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the options of ``tools/test.py``."""
    parser = _parser('Test a model with the metrics of its config.', _TEST)
    args = _parse(parser, argv)
    if args.out_item is not None and args.out is None:
        parser.error('--out-item says what --out takes: give --out as well')
    if (args.out is not None and args.out_item != 'metrics'
            and args.out.endswith(('.json', '.yaml', '.yml'))):
        parser.error(f'--out {args.out}: predictions go to a .pkl file; add '
                     '--out-item metrics for the metrics')
    return args


def _parser(description: str, options: dict) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    for name, settings in {**options, **_COMMON}.items():
        parser.add_argument(name, **settings)
    # torchrun sets LOCAL_RANK; torch.distributed.launch passes the option.
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help=argparse.SUPPRESS)
    return parser


def _parse(parser: argparse.ArgumentParser,
           argv: list[str] | None) -> argparse.Namespace:
    try:
        args = parser.parse_args(argv)
    # Of DictAction; the latter two where brackets or quotes do not match.
    except (ValueError, AssertionError, RecursionError) as error:
        parser.error('--cfg-options takes KEY=VALUE, where VALUE is a number, '
                     f'a word, or a list of such: {error}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args
