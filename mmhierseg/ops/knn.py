"""Nearest neighbours in a memory bank, and their majority class.

A segment is given the class that most of its k nearest neighbours have among
the segments of a training set (HSG, Ke et al., CVPR 2022, Sec. 4; CAST, Ke et
al., ICLR 2024). The Q x M similarities are computed in blocks, of which only
the k best of every query are kept: memory does not grow with Q or M.

Legend: Q queries, M entries of the bank, C channels, K classes.
"""

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


@torch.no_grad()
def knn_retrieve(queries: Tensor, bank: Tensor, bank_labels: Tensor, k: int,
                 num_classes: int) -> Tensor:
    """Majority class of the k nearest neighbours, by cosine.

    Among equally similar neighbours, those of smaller classes are nearer;
    among equally frequent classes, the smallest wins. So the order of the bank
    does not affect the result.

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
        _, neighbours = _neighbours(queries[rows], bank, order, k)
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
        rows of ``bank``, (Q, k) int64; ties go to the first.
    """
    _check(queries, bank, k)
    found = [
        _neighbours(block, bank, None, k)
        for block in queries.split(_QUERIES * _TOGETHER)
    ]
    cosines, rows = (torch.cat(parts) for parts in zip(*found))
    return cosines, rows


def first_of_largest(values: Tensor) -> Tensor:
    """(...) int64 index of the largest of (..., K), the first on ties.

    ``argmax`` does not promise which of equal ones it returns.
    """
    # int32 is twice as fast: this is bound by memory.
    order = torch.arange(
        values.size(-1), device=values.device, dtype=torch.int32)
    is_largest = values == values.amax(dim=-1, keepdim=True)
    # The last one where all are NaN: always a valid index.
    first = torch.where(is_largest, order, order[-1]).amin(dim=-1)
    return first.long()


def _neighbours(queries: Tensor, bank: Tensor, order: Tensor | None,
                k: int) -> tuple[Tensor, Tensor]:
    """Cosines (q, k) of the most similar and their places in ``order``."""
    with torch.autocast(queries.device.type, enabled=False):
        unit = F.normalize(wide(queries, bank), dim=1)
        best = unit.new_full((len(queries), k), -torch.inf)
        index = torch.zeros_like(best, dtype=torch.int64)
        for start in range(0, bank.size(0), _ENTRIES):
            rows = slice(start, start + _ENTRIES)
            block = bank[rows if order is None else order[rows]]
            block = F.normalize(wide(block, unit), dim=1).t()
            for part, *found in zip(*(
                    x.split(_QUERIES) for x in (unit, best, index))):
                _update(*found, part @ block, start)
    # A NaN is the largest of all, so none is lost on the way.
    if bool(best.isnan().any()):
        raise ValueError('`queries` and `bank` must be finite, got NaN or '
                         'infinity')
    return best, index


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
    maxima = maxima[rows]
    groups = maxima.topk(number, dim=1).indices.sort(dim=1).values
    columns = groups[..., None] * _GROUP + torch.arange(
        _GROUP, device=cosines.device)
    columns = columns.flatten(1)
    values, places = _first_largest(cosines[rows[:, None], columns], k)
    columns = columns.gather(1, places)
    if number < maxima.size(1) and number == k:
        # With equal maxima, a group with as large a value may be missing.
        cut = (maxima >= values[:, -1:]).sum(dim=1) > k
        if bool(cut.any()):
            values[cut], columns[cut] = _first_largest(cosines[rows[cut]], k)
    # Of equal ones those from earlier blocks stay in front.
    values = torch.cat([best[rows], values], dim=1)
    columns = torch.cat([index[rows], columns + start], dim=1)
    best[rows], places = _first_largest(values, k)
    index[rows] = columns.gather(1, places)


def _first_largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row, descending; the first of equal ones first."""
    k = min(k, values.size(1))
    top, columns = values.topk(k, dim=1)
    # Which of several equal ones it takes, `topk` does not promise.
    cut = (values >= top[:, -1:]).sum(dim=1) > k
    if bool(cut.any()):
        ordered, places = values[cut].sort(
            dim=1, descending=True, stable=True)
        top[cut], columns[cut] = ordered[:, :k], places[:, :k]
    columns, places = columns.sort(dim=1)
    top, order = top.gather(1, places).sort(
        dim=1, descending=True, stable=True)
    return top, columns.gather(1, order)


def _check(queries: Tensor, bank: Tensor, k: int) -> None:
    check_shape((len(bank), queries.size(1)), bank=bank)
    if not 1 <= k <= bank.size(0):
        raise ValueError(
            f'`k` must lie between 1 and the number of entries of `bank`, '
            f'{bank.size(0)}, got {k}')
