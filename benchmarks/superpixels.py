"""Time and quality of superpixels: TorchSLIC against SEEDS and SLIC.

Prints tables of milliseconds an image, and of how well segments fit::

    python benchmarks/superpixels/run.py --threads 1

What the numbers mean and what they were last: ``benchmarks/README.md``.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Dict, List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import README, replace_section, write_json
from benchmarks.common.timing import take_turns
from benchmarks.superpixels.methods import METHODS, Method, make_photographs
from benchmarks.superpixels.quality import rate
from benchmarks.superpixels.tables import quality_table, speed_table
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.ops._numba import has_numba
from tools.dataset_converters.skimage_photos import PHOTOGRAPHS

_PARTS = ('speed', 'quality')


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--parts', nargs='+', choices=_PARTS, default=_PARTS)
    parser.add_argument('--sizes', nargs='+', type=int,
                        default=[224, 448, 512],
                        help='heights and widths of the images')
    parser.add_argument('--segment-size', type=int, default=16,
                        help='side of the average segment in pixels')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument('--threads', type=int, default=1,
                        help='threads of PyTorch on the CPU')
    parser.add_argument('--batch-size', type=int, default=1,
                        help='images of a call')
    parser.add_argument('--images', type=int, default=14,
                        help='photographs, and scenes')
    parser.add_argument('--repeats', type=int, default=9, help='rounds')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the tables into benchmarks/README.md')
    args = parser.parse_args(argv)
    for name in ('segment_size', 'threads', 'batch_size', 'images',
                 'repeats'):
        if getattr(args, name) < 1:
            raise UserError(f'--{name.replace("_", "-")} must be at least '
                               f'1, got {getattr(args, name)}')
    if min(args.sizes) < 2 * args.segment_size:
        raise UserError('--sizes must be at least twice --segment-size, '
                           f'got {args.sizes} and {args.segment_size}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch finds no GPU here; take '
                           '--device cpu')
    return args


def time_methods(size: int, args: argparse.Namespace
                 ) -> Dict[str, List[float]]:
    """Time all methods on the same photographs, in turns.

    Args:
        size (int): Height and width of the images.
        args (argparse.Namespace): The command line.

    Returns:
        Dict[str, list[float]]: By method, seconds an image in each round.
    """
    # Each batch has memory of its own, as images from a loader have.
    batches = [
        batch.to(args.device).clone() for batch in make_photographs(
            args.images, size).split(args.batch_size)
    ]
    methods = {
        name: Method(name, args.segment_size)
        for name, setting in METHODS.items()
        if not setting.compiled or (has_numba() and args.device == 'cpu')
    }
    seconds = take_turns(
        {name: partial(_divide, method, batches)
         for name, method in methods.items()},
        args.repeats, warmup=1, device=args.device,
        progress=lambda message: print(
            f'{size}: {message}', file=sys.stderr, flush=True))
    return {name: [x / args.images for x in values]
            for name, values in seconds.items()}


def _divide(method: Method, batches: List[torch.Tensor]) -> None:
    for batch in batches:
        method(batch)


def main(argv: Optional[List[str]] = None) -> None:
    """Measure what is asked for and print the tables."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    # OpenCV's SEEDS has no threads of its own; what prepares its image has.
    import cv2
    cv2.setNumThreads(args.threads)
    machine = describe(args.device)
    results: Dict[str, dict] = {part: {} for part in args.parts}
    for size in args.sizes:
        if 'speed' in args.parts:
            results['speed'][size] = time_methods(size, args)
        if 'quality' in args.parts:
            results['quality'][size] = rate(size, args.segment_size,
                                            args.images)
    place = 'the CPU' if args.device == 'cpu' else 'CUDA'
    sections = {}
    if 'speed' in args.parts:
        sections[f'speed of superpixels on {place}'] = [
            f'{in_words(machine)}; {args.images} photographs, batches of '
            f'{args.batch_size}; {args.repeats} rounds',
            *(speed_table(size, (size // args.segment_size)**2, seconds)
              for size, seconds in results['speed'].items())
        ]
    if 'quality' in args.parts:
        sections['quality of superpixels'] = [
            f'{min(args.images, len(PHOTOGRAPHS))} photographs, '
            f'{args.images} scenes; commit {machine["commit"] or "unknown"}',
            *(quality_table(size, ratings)
              for size, ratings in results['quality'].items())
        ]
    for name, text in sections.items():
        print('\n\n'.join(text), end='\n\n')
        if args.update_readme:
            replace_section(README, name, '\n\n'.join(text))
    if args.out is not None:
        write_json(args.out, dict(machine=machine, results=results))


if __name__ == '__main__':
    sys.exit(run_command(main))
