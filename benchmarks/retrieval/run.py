"""Time and peak memory of retrieval as the memory bank grows.

Prints a table, against products of matrices alone and the formula::

    python benchmarks/retrieval/run.py

What the numbers mean and what they were last: ``benchmarks/README.md``.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.memory import peak_bytes
from benchmarks.common.report import (
    README,
    markdown_table,
    replace_section,
    write_json,
)
from benchmarks.retrieval import work
from mmhierseg._base.errors import UserError, run_command

_HEADER = ('bank', 'queries', 'Q M, MiB', 's', 'GFLOP/s', 'peak MiB',
           'products alone, s', 'time : products', 'written out, s',
           'peak MiB, written out', 's for 100,000 queries')


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--queries', type=int, default=10000)
    parser.add_argument('--banks', nargs='+', type=int,
                        default=[10000, 100000, 1000000],
                        help='numbers of entries')
    parser.add_argument('--channels', type=int, default=128)
    parser.add_argument('--some', type=int, default=256,
                        help='queries that the products alone and the '
                        'formula are run with; their times are scaled')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(),
                        help='threads of PyTorch on the CPU')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the table into benchmarks/README.md')
    args = parser.parse_args(argv)
    for name in ('queries', 'channels', 'some', 'threads'):
        if getattr(args, name) < 1:
            raise UserError(f'--{name} must be at least 1, got '
                               f'{getattr(args, name)}')
    if min(args.banks) < work.NEIGHBOURS:
        raise UserError(f'--banks must be at least {work.NEIGHBOURS}, the '
                           f'number of neighbours, got {args.banks}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch finds no GPU here; take '
                           '--device cpu')
    return args


def measure(entries: int, args: argparse.Namespace) -> Dict[str, float]:
    """Time retrieval from a bank of one size, and count its memory.

    Args:
        entries (int): M.
        args (argparse.Namespace): The command line.

    Returns:
        Dict[str, float]: ``bank``, ``queries``, ``channels``; ``seconds`` and
        ``peak``, bytes; seconds of the ``products`` alone, and of what is
        ``naive_reference``, both as for all queries; and its ``written_peak``.
    """
    bank = work.make_bank(args.queries, entries, args.channels, args.device)
    few = bank._replace(queries=bank.queries[:args.some])
    share = len(few.queries) / args.queries
    result = dict(
        bank=entries,
        queries=args.queries,
        channels=args.channels,
        products=_time(lambda: work.products(few), args.device) / share,
        naive_reference=_time(lambda: work.naive_reference(few), args.device) / share,
        written_peak=peak_bytes(lambda: work.naive_reference(few), args.device),
        seconds=_time(lambda: work.retrieve(bank), args.device),
        peak=peak_bytes(lambda: work.retrieve(bank), args.device))
    print(f'{entries} entries: {result["seconds"]:.3g} s', file=sys.stderr,
          flush=True)
    return result


def _time(call: Callable[[], object], device: str) -> float:
    """Seconds of one call: each is of many equal pieces."""
    start = time.perf_counter()
    call()
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def to_markdown(results: List[Dict[str, float]]) -> str:
    """Make the table.

    Args:
        results (List[Dict[str, float]]): Of ``measure`` for each bank.

    Returns:
        str: Markdown.
    """
    return markdown_table(_HEADER, [_cells(x) for x in results])


def _cells(one: Dict[str, float]) -> List[str]:
    pairs = one['queries'] * one['bank']
    return [
        f'{one["bank"]:,}', f'{one["queries"]:,}', f'{4 * pairs / 2**20:.0f}',
        f'{one["seconds"]:.3g}',
        f'{2e-9 * pairs * one["channels"] / one["seconds"]:.0f}',
        f'{one["peak"] / 2**20:.0f}', f'{one["products"]:.3g}',
        f'{one["seconds"] / one["products"]:.2f}',
        f'{one["naive_reference"]:.3g}', f'{one["written_peak"] / 2**20:.0f}',
        f'{1e5 / one["queries"] * one["seconds"]:.3g}'
    ]


def main(argv: Optional[List[str]] = None) -> None:
    """Measure banks of all sizes and print the table."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    machine = describe(args.device)
    # Libraries begin with the first call.
    work.retrieve(work.make_bank(64, 1024, args.channels, args.device))
    results = [measure(entries, args) for entries in args.banks]
    text = '\n\n'.join([
        f'{in_words(machine)}; {args.channels} channels, {work.NEIGHBOURS} '
        f'neighbours, {work.CLASSES} classes',
        to_markdown(results)
    ])
    print(text)
    if args.out is not None:
        write_json(args.out, dict(machine=machine, results=results))
    if args.update_readme:
        replace_section(
            README, 'retrieval on '
            f'{"the CPU" if args.device == "cpu" else "CUDA"}', text)


if __name__ == '__main__':
    sys.exit(run_command(main))
