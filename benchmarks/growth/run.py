"""Time and memory of CAST-S and ViT-S as images and batches grow.

Prints a table, and draws curves of what was written to a JSON file::

    python benchmarks/growth/run.py --out growth.json --png growth.png
    python benchmarks/growth/run.py --draw growth.json --png growth.png

What the numbers mean and what they were last: ``benchmarks/README.md``.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmengine.logging import MMLogger

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import README, replace_section, write_json
from benchmarks.common.timing import spread
from benchmarks.cost.work import MODES
from benchmarks.growth.picture import draw
from benchmarks.growth.tables import to_table
from benchmarks.growth.work import measure_point, points_of
from mmhierseg._base.errors import UserError, run_command

_SIZES, _BATCHES = [224, 384, 512, 768, 1024], [1, 4, 16, 64]
_QUICK_SIZES, _QUICK_BATCHES = [224, 384], [1, 4]
#: A step on the CPU that would take longer is left out.
_SECONDS = 10.


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0])
    parser.add_argument('--modes', nargs='+', choices=MODES, metavar='MODE',
                        default=['inference-fp32', 'training-fp32'],
                        help=f'some of {", ".join(MODES)} (default: the first '
                        'and the third)')
    parser.add_argument('--sizes', nargs='+', type=int,
                        help='sides of images, multiples of 32 (default: '
                        f'{_SIZES}), at the first batch size')
    parser.add_argument('--batches', nargs='+', type=int,
                        help=f'batch sizes (default: {_BATCHES}), at the '
                        'first side')
    parser.add_argument('--max-seconds', type=float, default=_SECONDS,
                        help='leave out what would take longer for one step '
                        f'of the ViT (default: {_SECONDS:g})')
    parser.add_argument('--quick', action='store_true',
                        help=f'another default: {_QUICK_SIZES}, '
                        f'{_QUICK_BATCHES}')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu',
                        help='default: cpu')
    parser.add_argument('--threads', type=int,
                        default=torch.get_num_threads(),
                        help='threads of PyTorch on the CPU (default: those '
                        'that it takes)')
    parser.add_argument('--repeats', type=int, default=2,
                        help='rounds (default: 2)')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--draw', type=Path, metavar='JSON',
                        help='measure nothing, take what was written to a '
                        'JSON file')
    parser.add_argument('--png', type=Path, help='picture to draw')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the table into benchmarks/README.md')
    args = parser.parse_args(argv)
    args.sizes = args.sizes or (_QUICK_SIZES if args.quick else _SIZES)
    args.batches = args.batches or (
        _QUICK_BATCHES if args.quick else _BATCHES)
    _check(args)
    return args


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is measured."""
    for name in ('threads', 'repeats'):
        if getattr(args, name) < 1:
            raise UserError(f'--{name} must be at least 1, got '
                               f'{getattr(args, name)}')
    if any(size < 32 or size % 32 for size in args.sizes):
        raise UserError(f'--sizes must be multiples of 32, got '
                           f'{args.sizes}')
    if min(args.batches) < 1:
        raise UserError(f'--batches must be at least 1, got '
                           f'{args.batches}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch finds no GPU here; take '
                           '--device cpu')
    if args.device == 'cpu' and {'training-bf16',
                                 'pretraining-bf16'} & set(args.modes):
        raise UserError('--modes: MMEngine trains in mixed precision on a '
                           'GPU only; add --device cuda')


def measure(mode: str, args: argparse.Namespace) -> List[dict]:
    """Measure all points of a mode, the cheapest first.

    Args:
        mode (str): One of ``MODES``.
        args (argparse.Namespace): The command line.

    Returns:
        list[dict]: Of each point ``mode``, ``img_size``, ``batch_size``,
        ``tokens`` and, by model, ``models``: empty where the ViT would take
        longer than is allowed, or memory does not suffice.
    """
    results, rate = [], 0.
    for point in points_of(mode, args.sizes, args.batches):
        say = f'{mode}, {point.img_size} x {point.batch_size}'
        measured = {}
        if rate * point.work <= args.max_seconds:
            measured = measure_point(point, args.repeats, args.device)
        print(f'{say}: {"done" if measured else "left out"}',
              file=sys.stderr, flush=True)
        if measured:
            # Of the ViT, whose attention grows faster than the rest: the
            # latest point says most about the next.
            rate = spread(measured['vit-s']['seconds']).median / point.work
        results.append(dict(point._asdict(), tokens=point.tokens,
                            models=measured))
    return results


def run(args: argparse.Namespace) -> dict:
    """Measure; the report, as it is written to the JSON file."""
    torch.set_num_threads(args.threads)
    MMLogger.get_current_instance().setLevel('WARNING')
    machine = describe(args.device)
    settings = {name: getattr(args, name) for name in (
        'modes', 'sizes', 'batches', 'repeats', 'max_seconds', 'quick')}
    results = [one for mode in args.modes for one in measure(mode, args)]
    return dict(machine=machine, settings=settings, results=results)


def main(argv: Optional[List[str]] = None) -> None:
    """Measure or read, print the table, draw."""
    args = parse_args(argv)
    report = json.loads(args.draw.read_text()) if args.draw else run(args)
    # Before anything else that could fail.
    if args.out is not None:
        write_json(args.out, report)
    text = (f'{in_words(report["machine"])}; '
            f'{report["settings"]["repeats"]} rounds\n\n'
            f'{to_table(report["results"])}')
    print(text)
    if args.png is not None:
        draw(report, args.png)
    if args.update_readme:
        device = report['machine']['device']
        replace_section(
            README,
            f'growth on {"the CPU" if device == "cpu" else "CUDA"}', text)


if __name__ == '__main__':
    sys.exit(run_command(main))
