"""Time and peak memory of retrieval as the memory bank grows.

Legend: Q queries, M entries of the bank, C channels.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.memory import peak_bytes
from benchmarks.report import Report, markdown_table
from mmhierseg._base.errors import UserError
from mmhierseg.ops import knn_retrieve

__all__ = ['Bank', 'make_bank', 'naive_reference', 'retrieve', 'run']

OPTIONS = dict(
    queries=dict(type=int, default=10000, quick=2000, help='Q'),
    banks=dict(nargs='+', type=int, default=[10000, 100000, 1000000],
               quick=[10000, 100000], help='numbers of entries M'),
    channels=dict(type=int, default=128, help='C'),
    some=dict(type=int, default=256,
              help='queries that the products alone and the naive reference '
              'are run with; their times are scaled'))
#: Classes and neighbours, as for VOC.
_CLASSES, _NEIGHBOURS = 21, 20
#: Queries and entries of a product: a size that is fast.
_BLOCK = 1024
_HEADER = ('bank', 'queries', 'Q M, MiB', 's', 'GFLOP/s', 'peak MiB',
           'products alone, s', 'time : products', 's, naive',
           'peak MiB, naive', 's for 100,000 queries')


class Bank(NamedTuple):
    """Queries, and the entries that their neighbours are searched in."""

    queries: Tensor
    """(Q, C) float32."""

    features: Tensor
    """(M, C)."""

    classes: Tensor
    """(M,) int64, in random order."""


def make_bank(queries: int, entries: int, channels: int,
              device: str = 'cpu') -> Bank:
    """Draw queries and entries around one direction for each class."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(_CLASSES, channels, generator=generator)
    classes, wanted = (
        torch.randint(0, _CLASSES, (number, ), generator=generator)
        for number in (entries, queries))
    values = (
        torch.randn(len(names), channels, generator=generator).add_(
            centres[names]) for names in (wanted, classes))
    return Bank(*(value.to(device) for value in (*values, classes)))


def retrieve(bank: Bank) -> Tensor:
    """Classes of the queries, (Q,) int64."""
    return knn_retrieve(*bank, _NEIGHBOURS, _CLASSES)


def products(bank: Bank) -> None:
    """All inner products of queries and entries, discarded at once."""
    memory = bank.queries.new_empty(_BLOCK * _BLOCK)
    for queries in bank.queries.split(_BLOCK):
        for entries in bank.features.split(_BLOCK):
            shape = len(queries), len(entries)
            torch.mm(queries, entries.t(),
                     out=memory[:shape[0] * shape[1]].view(shape))


def naive_reference(bank: Bank) -> Tensor:
    """All similarities, the largest of each row, votes: (Q,) int64."""
    similarity = F.normalize(
        bank.queries, dim=1) @ F.normalize(
            bank.features, dim=1).t()
    nearest = similarity.topk(_NEIGHBOURS, dim=1).indices
    return F.one_hot(bank.classes[nearest], _CLASSES).sum(dim=1).argmax(dim=1)


def _time(call: Callable[[], object], device: str) -> float:
    """Seconds of one call: each is of many equal pieces."""
    start = time.perf_counter()
    call()
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _measure(entries: int, args: Namespace) -> dict[str, float]:
    """Seconds, scaled to all queries, and peaks in bytes."""
    bank = make_bank(args.queries, entries, args.channels, args.device)
    few = bank._replace(queries=bank.queries[:args.some])
    share = len(few.queries) / args.queries
    result = dict(
        bank=entries,
        products=_time(lambda: products(few), args.device) / share,
        naive=_time(lambda: naive_reference(few), args.device) / share,
        naive_peak=peak_bytes(lambda: naive_reference(few), args.device),
        seconds=_time(lambda: retrieve(bank), args.device),
        peak=peak_bytes(lambda: retrieve(bank), args.device))
    args.progress(f'{entries} entries: {result["seconds"]:.3g} s')
    return result


def _cells(one: dict[str, float], queries: int, channels: int) -> list[str]:
    pairs = queries * one['bank']
    return [
        f'{one["bank"]:,}', f'{queries:,}', f'{4 * pairs / 2**20:.0f}',
        f'{one["seconds"]:.3g}',
        f'{2e-9 * pairs * channels / one["seconds"]:.0f}',
        f'{one["peak"] / 2**20:.0f}', f'{one["products"]:.3g}',
        f'{one["seconds"] / one["products"]:.2f}', f'{one["naive"]:.3g}',
        f'{one["naive_peak"] / 2**20:.0f}',
        f'{1e5 / queries * one["seconds"]:.3g}'
    ]


def run(args: Namespace) -> Report:
    """Measure banks of all sizes."""
    if min(args.banks) < _NEIGHBOURS:
        raise UserError(f'--banks must be at least {_NEIGHBOURS}, the number '
                        f'of neighbours, got {args.banks}')
    # Libraries are loaded by the first call.
    retrieve(make_bank(64, 1024, args.channels, args.device))
    results = [_measure(entries, args) for entries in args.banks]
    table = markdown_table(
        _HEADER,
        [_cells(x, args.queries, args.channels) for x in results])
    text = (f'{args.channels} channels, {_NEIGHBOURS} neighbours, '
            f'{_CLASSES} classes\n\n{table}')
    return Report({f'retrieval on {args.place}': text}, results)
