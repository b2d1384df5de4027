"""Time and peak memory of segmentation, against MMSegmentation's Segmenter.

Prints a table of CAST-S and ViT-S at the same crop::

    python benchmarks/dense/run.py

What the numbers mean and what they were last: ``benchmarks/README.md``.
"""

import argparse
import sys
from pathlib import Path
from typing import Dict, List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmengine.logging import MMLogger

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.memory import peak_bytes
from benchmarks.common.report import (
    README,
    markdown_table,
    replace_section,
    write_json,
)
from benchmarks.common.timing import paired_ratio, spread, take_turns
from benchmarks.dense.work import (
    BASELINE,
    MODES,
    SEGMENTORS,
    SegmentorStep,
)
from mmhierseg._base.errors import UserError, run_command

_HEADER = ('', 'ms an image', 'time : ViT', 'peak MiB', 'memory : ViT')


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--modes', nargs='+', choices=MODES, default=MODES)
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(),
                        help='threads of PyTorch on the CPU')
    parser.add_argument('--batch-size', type=int, default=2)
    parser.add_argument('--img-size', type=int, default=512,
                        help='height and width, a multiple of 32')
    parser.add_argument('--repeats', type=int, default=5, help='rounds')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the tables into benchmarks/README.md')
    args = parser.parse_args(argv)
    for name in ('threads', 'batch_size', 'img_size', 'repeats'):
        if getattr(args, name) < 1:
            raise UserError(f'--{name.replace("_", "-")} must be at least '
                               f'1, got {getattr(args, name)}')
    if args.img_size % 32:
        raise UserError('--img-size must be a multiple of 32, got '
                           f'{args.img_size}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch finds no GPU here; take '
                           '--device cpu')
    return args


def measure(mode: str, args: argparse.Namespace) -> Dict[str, dict]:
    """Time all segmentors in turns, and count the memory of each.

    Args:
        mode (str): One of ``MODES``.
        args (argparse.Namespace): The command line.

    Returns:
        Dict[str, dict]: By segmentor, ``seconds`` of a step in each round,
        and in bytes ``held`` (weights and the like) and ``step``, the most
        that is taken above it.
    """
    steps = {
        name: SegmentorStep(name, mode == 'training', args.batch_size,
                            args.img_size, args.device)
        for name in SEGMENTORS
    }
    seconds = take_turns(
        steps, args.repeats, device=args.device,
        progress=lambda message: print(
            f'{mode}: {message}', file=sys.stderr, flush=True))
    return {
        name: dict(
            seconds=seconds[name],
            held=step.held_bytes(),
            step=peak_bytes(step, args.device))
        for name, step in steps.items()
    }


def to_markdown(mode: str, measured: Dict[str, dict], batch_size: int) -> str:
    """Make the table of a mode.

    Args:
        mode (str): One of ``MODES``.
        measured (Dict[str, dict]): Of :func:`measure`.
        batch_size (int): Images of a step.

    Returns:
        str: Markdown.
    """
    base = measured[BASELINE]
    rows = []
    for name, one in measured.items():
        peak = one['held'] + one['step']
        rows.append([
            name,
            f'{1e3 * spread(one["seconds"]).median / batch_size:.0f}',
            f'{paired_ratio(one["seconds"], base["seconds"]).median:.2f}',
            f'{peak / 2**20:.0f}',
            f'{peak / (base["held"] + base["step"]):.2f}'
        ])
    return markdown_table((mode, *_HEADER[1:]), rows)


def main(argv: Optional[List[str]] = None) -> None:
    """Measure all modes and print the tables."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    MMLogger.get_current_instance().setLevel('WARNING')
    machine = describe(args.device)
    results = {mode: measure(mode, args) for mode in args.modes}
    settings = {name: getattr(args, name)
                for name in ('batch_size', 'img_size', 'repeats')}
    text = '\n\n'.join([
        f'{in_words(machine)}; batches of {args.batch_size} at '
        f'{args.img_size} x {args.img_size}; {args.repeats} rounds',
        *(to_markdown(mode, measured, args.batch_size)
          for mode, measured in results.items())
    ])
    print(text)
    if args.out is not None:
        write_json(args.out, dict(machine=machine, settings=settings,
                                  results=results))
    if args.update_readme:
        replace_section(
            README, 'segmentation on '
            f'{"the CPU" if args.device == "cpu" else "CUDA"}', text)


if __name__ == '__main__':
    sys.exit(run_command(main))
