"""Time and peak memory of HSG's k-means and losses as batches grow.

Prints a table, against the same written down as the formulas are, and one of
the contrast in several processes; draws curves::

    python benchmarks/hsg_loss/run.py --png growth.png

What the numbers mean and what they were last: ``benchmarks/README.md``.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.memory import peak_bytes
from benchmarks.common.report import README, replace_section, write_json
from benchmarks.common.timing import take_turns
from benchmarks.hsg_loss import naive_reference, work
from benchmarks.hsg_loss.batch import Batch, make_batch
from benchmarks.hsg_loss.picture import draw
from benchmarks.hsg_loss.ranks import measure_ranks
from benchmarks.hsg_loss.tables import ranks_to_markdown, to_markdown
from mmhierseg._base.errors import UserError, run_command

VERSIONS = {'package': work, 'written out': naive_reference}
WORKS = ('kmeans', 'contrast', 'grouping')


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--works', nargs='+', choices=WORKS, default=WORKS)
    parser.add_argument('--images', nargs='+', type=int,
                        default=[6, 12, 24, 48],
                        help='images of a batch, two views each')
    parser.add_argument('--size', type=int, default=28,
                        help='height and width of the embeddings; 28 is of '
                        'crops of 448 pixels')
    parser.add_argument('--channels', type=int, default=128)
    parser.add_argument('--regions', type=int, default=48,
                        help='regions of an image')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(),
                        help='threads of PyTorch on the CPU')
    parser.add_argument('--repeats', type=int, default=3, help='rounds')
    parser.add_argument('--matrix-limit', type=float, default=600.,
                        help='MiB of a matrix of pixels x prototypes up to '
                        'which the contrast that is written out is run; it '
                        'takes some twenty of them')
    parser.add_argument('--ranks', nargs='*', type=int, default=[1, 2],
                        help='numbers of processes that share a contrast on '
                        'the CPU, of one thread each, with the smallest '
                        'number of --images each; none: leave it out')
    parser.add_argument('--png', type=Path, help='picture to draw')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the table into benchmarks/README.md')
    args = parser.parse_args(argv)
    for name in ('size', 'channels', 'regions', 'threads', 'repeats'):
        if getattr(args, name) < 1:
            raise UserError(f'--{name} must be at least 1, got '
                               f'{getattr(args, name)}')
    for name in ('images', 'ranks'):
        if min(getattr(args, name), default=1) < 1:
            raise UserError(f'--{name} must be at least 1, got '
                               f'{getattr(args, name)}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch finds no GPU here; take '
                           '--device cpu')
    return args


def step(version: str, name: str, batch: Batch) -> None:
    """One piece of work, with its gradients if it has any.

    Args:
        version (str): One of ``VERSIONS``.
        name (str): One of ``WORKS``.
        batch (Batch): What it is done on; its gradients are released.
    """
    result = getattr(VERSIONS[version], name)(batch)
    if result.requires_grad:
        torch.autograd.grad(result.sum(), batch.leaves(), allow_unused=True)


def measure(num_images: int, args: argparse.Namespace) -> Dict[str, dict]:
    """Time all works on batches of one size, and count their memory.

    Args:
        num_images (int): Images of the batch.
        args (argparse.Namespace): The command line.

    Returns:
        Dict[str, dict]: Under 'size' the numbers of ``pixels``,
        ``prototypes`` and ``channels``; under each work, by version,
        ``seconds`` of each round and ``peak``, bytes.
    """
    batch = make_batch(num_images, args.size, args.channels,
                       args.regions).to(args.device)
    pixels, channels = batch.views.pixels.shape
    prototypes = len(batch.views.prototypes)
    result = dict(size=dict(
        images=num_images, pixels=pixels, prototypes=prototypes,
        channels=channels))
    too_large = 4 * pixels * prototypes > args.matrix_limit * 2**20
    for name in args.works:
        calls: Dict[str, Callable] = {
            version: partial(step, version, name, batch)
            for version in VERSIONS
            if not (version == 'written out' and name == 'contrast'
                    and too_large)
        }
        seconds = take_turns(
            calls, args.repeats, warmup=1, device=args.device,
            progress=lambda message: print(
                f'{num_images} images: {message}', file=sys.stderr,
                flush=True))
        result[name] = {
            version: dict(
                seconds=seconds[version], peak=peak_bytes(call, args.device))
            for version, call in calls.items()
        }
    return result


def main(argv: Optional[List[str]] = None) -> None:
    """Measure batches of all sizes and print the table."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    machine = describe(args.device)
    results = [measure(number, args) for number in args.images]
    text = '\n\n'.join([
        f'{in_words(machine)}; embeddings of {args.size} x {args.size} with '
        f'{args.channels} channels; {args.repeats} rounds',
        to_markdown(results)
    ])
    ranks = [] if args.device == 'cuda' else measure_ranks(
        args.ranks, min(args.images), args.size, args.channels, args.regions,
        args.repeats)
    if ranks:
        text += (f'\n\nThe contrast with {min(args.images)} images in each '
                 f'process:\n\n{ranks_to_markdown(ranks)}')
    print(text)
    if args.out is not None:
        write_json(args.out,
                   dict(machine=machine, results=results, ranks=ranks))
    if args.png is not None:
        draw(results, ranks, args.png)
    if args.update_readme:
        replace_section(
            README, 'losses of HSG on '
            f'{"the CPU" if args.device == "cpu" else "CUDA"}', text)


if __name__ == '__main__':
    sys.exit(run_command(main))
