"""Nearest neighbours in a memory bank, and their majority class.

A segment is given the class that most of its k nearest neighbours have among
the segments of a training set (HSG, Ke et al., CVPR 2022, Sec. 4; CAST, Ke et
al., ICLR 2024). The Q x M similarities are computed in blocks, of which only
the best of every query are kept: memory does not grow with Q or M.

Rounding of these products depends on an entry's place, the batch and the
device, so they only select candidates. Where more entries than k lie within
the bound of their error, cosines decide that are a function of the two vectors
alone: these are split into two numbers of 23 bits, whose products and sums are
exact in float64 in any order.

Legend: Q queries, M entries of the bank, C channels, K classes.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_dtype, check_range, check_shape, wide

#: Similarities of a block, 16 MiB in float32: memory that is kept by the C
#: library, not cleared by the system each time.
_QUERIES, _ENTRIES = 512, 8192
#: Blocks of queries that go through the bank together.
_TOGETHER = 32
#: Columns of a block that are first looked at together.
_GROUP = 32
#: Candidates beyond k.
_SPARE = 8
#: Numbers in the entries whose exact cosines are computed together.
_EXACT = 2**20
#: Steps of the two parts of a number; sums of 2**16 products are exact.
_STEPS = 2.**23


@torch.no_grad()
def knn_retrieve(queries: Tensor, bank: Tensor, bank_labels: Tensor, k: int,
                 num_classes: int) -> Tensor:
    """Majority class of the k nearest neighbours, by cosine.

    Among equally similar neighbours, those of smaller classes are nearer;
    among equally frequent classes, the smallest wins. Similarities are equal
    if cosines, of vectors rounded to 46 bits, agree in the precision of the
    arguments (at least float32). So neither the order of the bank nor other
    queries affect the result.

    Args:
        queries (Tensor): (Q, C) float, of any length, compared in at least
            float32. Zero vectors are equally far from everything.
        bank (Tensor): (M, C) float.
        bank_labels (Tensor): (M,) int64 in [0, K - 1].
        k (int): Number of neighbours, in [1, M].
        num_classes (int): K.

    Returns:
        Tensor: (Q,) int64 in [0, K - 1].
    """
    _check(queries, bank, k)
    check_dtype(torch.int64, bank_labels=bank_labels)
    check_shape(bank.shape[:1], bank_labels=bank_labels)
    check_range(num_classes, 0, bank_labels=bank_labels)
    # The first of equally similar entries is then of the smallest class.
    order = None
    if bool((bank_labels[1:] < bank_labels[:-1]).any()):
        order = bank_labels.argsort(stable=True)
        bank_labels = bank_labels[order]
    result = bank_labels.new_empty(queries.size(0))
    step = _QUERIES * _TOGETHER
    for start in range(0, queries.size(0), step):
        rows = slice(start, start + step)
        _, neighbours = _neighbours(queries[rows], bank, order, k, False)
        labels = bank_labels[neighbours]
        votes = labels.new_zeros(len(labels), num_classes)
        votes.scatter_add_(1, labels, torch.ones_like(labels))
        result[rows] = first_of_largest(votes)
    return result


@torch.no_grad()
def knn_search(queries: Tensor, bank: Tensor,
               k: int) -> tuple[Tensor, Tensor]:
    """Find the k nearest neighbours, by cosine.

    Args:
        queries (Tensor): (Q, C) float, as for :func:`knn_retrieve`.
        bank (Tensor): (M, C) float.
        k (int): Number of neighbours, in [1, M].

    Returns:
        tuple[Tensor, Tensor]: Cosines (Q, k) in [-1, 1], descending, and their
        rows of ``bank``, (Q, k) int64; equal cosines go to the first.
    """
    _check(queries, bank, k)
    found = [
        _neighbours(block, bank, None, k, True)
        for block in queries.split(_QUERIES * _TOGETHER)
    ]
    cosines, rows = (torch.cat(parts) for parts in zip(*found))
    return cosines, rows


def first_of_largest(values: Tensor, tolerance: Tensor | float = 0) -> Tensor:
    """(...) int64 index of the largest of (..., K), the first on ties.

    ``argmax`` does not promise which of equal ones it returns. Values that are
    smaller by up to the tolerance, (..., 1), tie.
    """
    # int32 is twice as fast: this is bound by memory.
    order = torch.arange(
        values.size(-1), device=values.device, dtype=torch.int32)
    is_largest = values >= values.amax(dim=-1, keepdim=True) - tolerance
    # The last one where all are NaN: always a valid index.
    first = torch.where(is_largest, order, order[-1]).amin(dim=-1)
    return first.long()


def _neighbours(queries: Tensor, bank: Tensor, order: Tensor | None, k: int,
                ranked: bool) -> tuple[Tensor, Tensor]:
    """Cosines (q, k) of the most similar and their places in ``order``.

    Unless ``ranked``, they are the right ones but may be out of order.
    """
    dtype = wide(queries, bank).dtype
    cosines = queries.new_empty(len(queries), k, dtype=dtype)
    places = torch.empty_like(cosines, dtype=torch.int64)
    left = torch.arange(len(queries), device=queries.device)
    number = min(k + _SPARE, len(bank))
    precisions = [torch.float64]
    if dtype != torch.float64 and (
            torch.get_float32_matmul_precision() == 'highest'):
        precisions = [dtype, torch.float64]
    with torch.autocast(queries.device.type, enabled=False):
        for precision in precisions:
            if not len(left):
                break
            near, found = _candidates(queries[left].to(precision), bank,
                                      order, number)
            # Of products and lengths, of parts of numbers, and of cosines
            # rounded to `dtype`.
            error = (queries.size(1) + 16) * (
                torch.finfo(precision).eps + 4 / _STEPS**2)
            error += 2 * torch.finfo(dtype).eps
            cosines[left], places[left] = near[:, :k].to(dtype), found[:, :k]
            if number > k and not ranked:
                unsure = near[:, k - 1] - near[:, k] <= 2 * error
                left, near, found = left[unsure], near[unsure], found[unsure]
            step = max(_EXACT // (number * queries.size(1)), 1)
            for rows, some in zip(left.split(step), found.split(step)):
                cosines[rows], places[rows] = _rank(
                    queries[rows], bank, order, some, k, dtype)
            cut = near[:, -1] >= cosines[left, -1] - error
            left = left[cut & (number < len(bank))]
        # Whose nearest ones tie with more entries than the candidates.
        for rows in left.split(_QUERIES) if len(left) else ():
            cosines[rows], places[rows] = _search_exactly(
                queries[rows], bank, order, k, dtype)
    return cosines, places


def _candidates(queries: Tensor, bank: Tensor, order: Tensor | None,
                number: int) -> tuple[Tensor, Tensor]:
    """Rounded cosines (q, number), descending, and places, in any order."""
    unit = _unit(queries)
    best = unit.new_full((len(queries), number), -torch.inf)
    index = torch.zeros_like(best, dtype=torch.int64)
    for start, block in _blocks(bank, order):
        block = _unit(block.to(unit.dtype)).t()
        for part, *found in zip(*(
                x.split(_QUERIES) for x in (unit, best, index))):
            _update(*found, part @ block, start)
    # A NaN is the largest of all, so none is lost on the way.
    if bool(best.isnan().any()):
        raise ValueError('`queries` and `bank` must be finite, got NaN or '
                         'infinity')
    return best, index


def _blocks(bank: Tensor,
            order: Tensor | None) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(bank), _ENTRIES):
        rows = slice(start, start + _ENTRIES)
        yield start, bank[rows if order is None else order[rows]]


def _unit(rows: Tensor) -> Tensor:
    return F.normalize(rows / _largest(rows), dim=1)


def _largest(rows: Tensor) -> Tensor:
    tiny = torch.finfo(rows.dtype).tiny
    return rows.abs().amax(dim=-1, keepdim=True).clamp(min=tiny)


def _update(best: Tensor, index: Tensor, cosines: Tensor, start: int) -> None:
    """Merge a block that begins at ``start`` into the k nearest so far.

    They lie in the k groups of columns with the largest maxima.
    """
    k = best.size(1)
    short = -cosines.size(1) % _GROUP
    if short:
        cosines = F.pad(cosines, (0, short), value=-torch.inf)
    maxima = cosines.unflatten(1, (-1, _GROUP)).amax(dim=2)
    # Groups with nearer ones; not ">": NaN is larger than everything.
    counts = (~(maxima <= best[:, -1:])).sum(dim=1)
    rows = counts.nonzero().squeeze(1)
    if not len(rows):
        return
    number = min(k, int(counts.max()), maxima.size(1))
    groups = maxima[rows].topk(number, dim=1).indices
    columns = groups[..., None] * _GROUP + torch.arange(
        _GROUP, device=cosines.device)
    columns = columns.flatten(1)
    values, places = cosines[rows[:, None], columns].topk(
        min(k, columns.size(1)), dim=1)
    values = torch.cat([best[rows], values], dim=1)
    columns = torch.cat([index[rows], columns.gather(1, places) + start],
                        dim=1)
    best[rows], places = values.topk(k, dim=1)
    index[rows] = columns.gather(1, places)


def _rank(queries: Tensor, bank: Tensor, order: Tensor | None, places: Tensor,
          k: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The k nearest of the candidates at ``places`` (r, n)."""
    places = places.sort(dim=1).values
    entries = bank[places if order is None else order[places]]
    cosines = _exact_cosines(queries[:, None], entries)[:, 0].to(dtype)
    cosines, found = cosines.sort(dim=1, descending=True, stable=True)
    return cosines[:, :k], places.gather(1, found[:, :k])


def _search_exactly(queries: Tensor, bank: Tensor, order: Tensor | None,
                    k: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    best, index = (queries.new_empty(len(queries), 0, dtype=kind)
                   for kind in (dtype, torch.int64))
    for start, block in _blocks(bank, order):
        cosines = _exact_cosines(queries, block).to(dtype)
        columns = torch.arange(
            start, start + len(block), device=index.device).expand_as(cosines)
        # Of equal ones those from earlier blocks stay in front.
        best, found = torch.cat([best, cosines], dim=1).sort(
            dim=1, descending=True, stable=True)
        index = torch.cat([index, columns], dim=1).gather(1, found[:, :k])
        best = best[:, :k]
    return best, index


def _exact_cosines(queries: Tensor, entries: Tensor) -> Tensor:
    """(..., q, n) float64 cosines of (..., q, C) and (..., n, C)."""
    halves, squares = [], []
    for rows in (queries, entries):
        # Lengths of at most 1 leave room for sums.
        rows = rows.double() / _largest(rows.double())
        rows = rows / 2**math.ceil(math.log2(rows.size(-1)) / 2)
        high = (rows * _STEPS).round() / _STEPS
        low = ((rows - high) * _STEPS**2).round() / _STEPS**2
        halves.append((high, low))
        squares.append(
            high.square().sum(dim=-1) +
            (2 * (high * low).sum(dim=-1) + low.square().sum(dim=-1)))
    (high, low), others = halves[0], [x.mT for x in halves[1]]
    product = high @ others[0] + (
        high @ others[1] + low @ others[0] + low @ others[1])
    square = squares[0][..., None] * squares[1][..., None, :]
    length = square.clamp(min=torch.finfo(square.dtype).tiny).sqrt()
    return (product / length).clamp(-1, 1)


def _check(queries: Tensor, bank: Tensor, k: int) -> None:
    check_shape((len(bank), queries.size(1)), bank=bank)
    if not 1 <= k <= bank.size(0):
        raise ValueError(
            f'`k` must lie between 1 and the number of entries of `bank`, '
            f'{bank.size(0)}, got {k}')
