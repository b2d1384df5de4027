"""Command-line options of ``tools/train.py`` and ``tools/test.py``.

They are the ones of the ecosystem's own tools. Where MMPretrain's and
MMSegmentation's differ, both meanings are served: see the help texts.
"""

import argparse
import os
from typing import List, Optional

from mmengine.config import DictAction

__all__ = ['parse_test_args', 'parse_train_args']


def parse_train_args(
        argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Parse the options of ``tools/train.py``.

    Args:
        argv (list[str], optional): The words after the program's name.
            Defaults to those of the command line.

    Returns:
        argparse.Namespace: The options.

    Example:
        >>> args = parse_train_args(['config.py', '--resume'])
        >>> args.resume, args.launcher
        ('auto', 'none')
    """
    parser = argparse.ArgumentParser(
        description='Train a model, on all GPUs that the launcher gives or, '
        'without a GPU, on the CPU.')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on with a run: from the checkpoint if one is named, else '
        'from the latest one in the work directory, if there is any')
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train in mixed precision (needs a GPU; on the CPU, full '
        'precision is used and a warning says so)')
    parser.add_argument(
        '--no-validate',
        action='store_true',
        help='do not evaluate during training')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the actual total batch size over '
        'auto_scale_lr.base_batch_size of the config')
    _add_common_options(parser)
    return _parse(parser, argv)


def parse_test_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Parse the options of ``tools/test.py``.

    Args:
        argv (list[str], optional): The words after the program's name.
            Defaults to those of the command line.

    Returns:
        argparse.Namespace: The options.

    Example:
        >>> args = parse_test_args(['config.py', 'last.pth', '--tta'])
        >>> args.checkpoint, args.tta
        ('last.pth', True)
    """
    parser = argparse.ArgumentParser(
        description='Test a model with the metrics of its config.')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--out',
        help='where to write results: a .pkl file takes the predictions or, '
        'with --out-item metrics, a .pkl, .json or .yaml file the metrics; '
        'any other name is a folder for the predicted label maps of a '
        'segmentor')
    parser.add_argument(
        '--out-item',
        choices=['metrics', 'pred'],
        help='what a file named by --out takes (default: pred)')
    parser.add_argument(
        '--tta',
        action='store_true',
        help='test-time augmentation: tta_model and tta_pipeline of the '
        'config, or, for a classifier without them, the mean score of the '
        'image and its mirror image')
    parser.add_argument(
        '--amp', action='store_true', help='test in mixed precision')
    parser.add_argument(
        '--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--show-dir', help='folder to draw predictions into')
    parser.add_argument(
        '--interval',
        type=int,
        default=1,
        help='draw every n-th image (default: 1); MMSegmentation heeds it '
        'in validation only')
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        help='seconds that a window is shown (default: 2)')
    _add_common_options(parser)
    args = _parse(parser, argv)
    if args.out_item is not None and args.out is None:
        parser.error('--out-item says what --out takes: give --out as well')
    if (args.out is not None and args.out_item != 'metrics'
            and args.out.endswith(('.json', '.yaml', '.yml'))):
        parser.error(f'--out {args.out}: predictions go to a .pkl file; add '
                     '--out-item metrics for the metrics')
    return args


def _add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--work-dir',
        help='folder for logs and checkpoints (default: work_dir of the '
        "config, or work_dirs/ and the config's name)")
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override settings of the config, as if they stood in it, e.g. '
        'train_dataloader.batch_size=8 model.backbone.depth=50. A list is '
        'written key="[a,b]" or key=a,b, nested ones key="[(a,b),(c,d)]", '
        'without white space')
    parser.add_argument(
        '--no-pin-memory',
        action='store_true',
        help='do not pin memory in data loaders')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes were started (default: none, one process)')
    # torchrun sets LOCAL_RANK; torch.distributed.launch passes the option.
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help=argparse.SUPPRESS)


def _parse(parser: argparse.ArgumentParser,
           argv: Optional[List[str]]) -> argparse.Namespace:
    try:
        args = parser.parse_args(argv)
    # Of DictAction; the latter two where brackets or quotes do not match.
    except (ValueError, AssertionError, RecursionError) as error:
        parser.error('--cfg-options takes KEY=VALUE, where VALUE is a number, '
                     f'a word, or a list of such: {error}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args
