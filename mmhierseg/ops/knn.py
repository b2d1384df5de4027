"""Classes of the nearest neighbours in a memory bank.

Before any tuning, a segment is given the class that most of its k nearest
neighbours have among the segments of a training set (HSG, Ke et al., CVPR
2022, Sec. 4; CAST, Ke et al., ICLR 2024).

The Q x M similarities are never all there: both sides go in blocks, and of
each block only the k best of every query are kept. Memory beside the bank
itself is a block of similarities and a block of the bank, whatever Q and M.
Once a query has k neighbours, a block is looked at only where it has nearer
ones, so that the products are most of the time.

Legend: Q queries, M entries of the bank, C channels, K classes.
"""

from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops._numba.products import multiply

#: Similarities of a block, 16 MiB in float32: memory that is kept by the C
#: library, not cleared by the system each time.
_QUERIES, _ENTRIES = 512, 8192
#: Blocks of queries that go through the bank together.
_TOGETHER = 32
#: Columns of a block that are first looked at together.
_GROUP = 32

#: Cosines (q, at most k), and the places in the bank that they are of.
_Found = Tuple[Tensor, Tensor]


@torch.no_grad()
def knn_retrieve(queries: Tensor, bank: Tensor, bank_labels: Tensor, k: int,
                 num_classes: int) -> Tensor:
    """Majority class of the k nearest neighbours, by cosine.

    Where neighbours are equally similar, those of smaller classes are nearer;
    where classes have equally many, the smallest one wins. So the order of
    the bank is of no matter.

    Args:
        queries (Tensor): (Q, C) float, of any length. Zero vectors are
            equally far from everything.
        bank (Tensor): (M, C) float. Half precision, of either side, is
            compared in float32.
        bank_labels (Tensor): (M,) int64 in [0, K - 1].
        k (int): Number of neighbours, at least 1, at most M.
        num_classes (int): K.

    Returns:
        Tensor: (Q,) int64 in [0, K - 1].

    Raises:
        TypeError: If features are no floating-point tensors, or the labels
            not int64.
        ValueError: If the bank is empty or has fewer than ``k`` entries,
            shapes do not fit, a label is no class, or a feature is NaN.

    Example:
        >>> bank = torch.tensor([[1., 0.], [1., .1], [0., 1.]])
        >>> labels = torch.tensor([2, 0, 1])
        >>> knn_retrieve(torch.tensor([[2., 0.]]), bank, labels, 1, 3)
        tensor([2])
        >>> knn_retrieve(torch.tensor([[2., 0.]]), bank, labels, 2, 3)
        tensor([0])
    """
    _check(queries, bank, k)
    _check_labels(bank, bank_labels, num_classes)
    # The first of equally similar entries is then of the smallest class.
    if bool((bank_labels[1:] < bank_labels[:-1]).any()):
        order = bank_labels.argsort(stable=True)
        bank_labels = bank_labels[order]
    else:
        order = None
    result = bank_labels.new_empty(queries.size(0))
    step = _QUERIES * _TOGETHER
    for start in range(0, queries.size(0), step):
        rows = slice(start, start + step)
        _, neighbours = _neighbours(queries[rows], bank, order, k)
        result[rows] = _majority(bank_labels[neighbours], num_classes)
    return result


@torch.no_grad()
def knn_search(queries: Tensor, bank: Tensor,
               k: int) -> Tuple[Tensor, Tensor]:
    """Find the k nearest neighbours, by cosine.

    Args:
        queries (Tensor): (Q, C) float, as for :func:`knn_retrieve`.
        bank (Tensor): (M, C) float.
        k (int): Number of neighbours, at least 1, at most M.

    Returns:
        Tuple[Tensor, Tensor]: Cosines (Q, k) in [-1, 1], falling, and the
        rows of ``bank`` that they are of, (Q, k) int64; the first of equally
        similar ones first.

    Raises:
        TypeError: If features are no floating-point tensors.
        ValueError: If the bank is empty or has fewer than ``k`` entries,
            shapes do not fit, or a feature is NaN.

    Example:
        >>> bank = torch.tensor([[0., 1.], [3., 4.]])
        >>> knn_search(torch.tensor([[2., 0.]]), bank, 2)
        (tensor([[0.6000, 0.0000]]), tensor([[1, 0]]))
    """
    _check(queries, bank, k)
    found = [
        _neighbours(block, bank, None, k)
        for block in queries.split(_QUERIES * _TOGETHER)
    ]
    cosines, rows = (torch.cat(parts) for parts in zip(*found))
    return cosines, rows


def _neighbours(queries: Tensor, bank: Tensor, order: Optional[Tensor],
                k: int) -> Tuple[Tensor, Tensor]:
    """Cosines of the k most similar, and their places in the bank's order.

    Of not too many queries at a time: (q, C) gives (q, k), in float32 or
    wider.
    """
    dtype = torch.promote_types(queries.dtype, bank.dtype)
    dtype = torch.promote_types(dtype, torch.float32)
    with torch.autocast(queries.device.type, enabled=False):
        parts = F.normalize(queries.to(dtype), dim=1).split(_QUERIES)
        found: List[_Found] = [(part[:, :0], part.new_empty(
            len(part), 0, dtype=torch.int64)) for part in parts]
        for start in range(0, bank.size(0), _ENTRIES):
            if order is None:
                block = bank[start:start + _ENTRIES]
            else:
                block = bank[order[start:start + _ENTRIES]]
            block = F.normalize(block.to(dtype), dim=1)
            for place, part in enumerate(parts):
                found[place] = _merge(found[place], multiply(part, block),
                                      start, k)
    best, index = (torch.cat(part) for part in zip(*found))
    # A NaN is the largest of all, so none is lost on the way.
    if bool(best.isnan().any()):
        raise ValueError('`queries` and `bank` must be finite, got NaN or '
                         'infinity')
    return best, index


def _merge(found: _Found, cosines: Tensor, start: int, k: int) -> _Found:
    """The k nearest so far, and of a block that begins at ``start``."""
    best, index = found
    complete = best.size(1) == k
    rows, values, columns = _largest(cosines, k,
                                     best[:, -1:] if complete else None)
    # Of equal ones the earlier, from the blocks before, stay in front.
    values = torch.cat([best[rows], values], dim=1)
    columns = torch.cat([index[rows], columns + start], dim=1)
    values, places = _first_largest(values, min(k, values.size(1)))
    columns = columns.gather(1, places)
    if not complete:
        return values, columns
    return best.index_copy(0, rows, values), index.index_copy(0, rows, columns)


def _largest(values: Tensor, k: int,
             above: Optional[Tensor]) -> Tuple[Tensor, Tensor, Tensor]:
    """The k largest of each row, falling; the first of equal ones first.

    They lie in the k groups of neighbouring columns with the largest maxima,
    which are found much faster than the values themselves.

    Args:
        values (Tensor): (q, n) of them.
        k (int): How many.
        above (Tensor, optional): (q, 1), only larger ones are needed. None:
            there is no such limit.

    Returns:
        Tuple[Tensor, Tensor, Tensor]: (r,) rows that have some that are
        needed; (r, at most k) values and columns. Some that are not needed
        may be among them, or missing.
    """
    k = min(k, values.size(1))
    short = -values.size(1) % _GROUP
    padded = F.pad(values, (0, short), value=-torch.inf) if short else values
    maxima = padded.unflatten(1, (-1, _GROUP)).amax(dim=2)
    number = k
    rows = torch.arange(len(values), device=values.device)
    if above is not None:
        # Not ">": NaN is larger than everything.
        counts = (~(maxima <= above)).sum(dim=1)
        rows = counts.nonzero().squeeze(1)
        number = min(k, int(counts.max()))
        maxima = maxima[rows]
    if maxima.size(1) <= number:
        return rows, *_first_largest(values[rows], k)
    groups = maxima.topk(number, dim=1).indices.sort(dim=1).values
    columns = groups[..., None] * _GROUP + torch.arange(
        _GROUP, device=values.device)
    columns = columns.flatten(1)
    some = padded.flatten()[rows[:, None] * padded.size(1) + columns]
    top, places = _first_largest(some, min(k, columns.size(1)))
    columns = columns.gather(1, places)
    if number == k:
        # With equal maxima, a group with as large a value may be missing.
        cut = (maxima >= top[:, -1:]).sum(dim=1) > k
        if bool(cut.any()):
            top[cut], columns[cut] = _first_largest(values[rows[cut]], k)
    return rows, top, columns


def _first_largest(values: Tensor, k: int) -> Tuple[Tensor, Tensor]:
    """What :func:`_largest` gives, from all columns."""
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


def _majority(labels: Tensor, num_classes: int) -> Tensor:
    """Most frequent label of each row, the smallest one on ties."""
    votes = labels.new_zeros(labels.size(0), num_classes)
    votes.scatter_add_(1, labels, torch.ones_like(labels))
    return first_of_largest(votes)


def first_of_largest(values: Tensor) -> Tensor:
    """Index of the largest entry along the last axis, the first of equal ones.

    What ``argmax`` gives on the CPU, but promises nowhere.

    Args:
        values (Tensor): (..., K), K at least 1; no NaN.

    Returns:
        Tensor: (...) int64.

    Example:
        >>> first_of_largest(torch.tensor([[1, 3, 3], [0, 0, 0]]))
        tensor([1, 0])
    """
    # Half as wide, twice as fast: memory is what this waits for.
    order = torch.arange(
        values.size(-1), device=values.device, dtype=torch.int32)
    is_largest = values == values.amax(dim=-1, keepdim=True)
    # The last one where all are NaN: an index, whatever there is.
    first = torch.where(is_largest, order, order[-1]).amin(dim=-1)
    return first.long()


def _check(queries: Tensor, bank: Tensor, k: int) -> None:
    for name, features in (('queries', queries), ('bank', bank)):
        if not features.is_floating_point():
            raise TypeError(f'`{name}` must be floating-point, got '
                            f'{features.dtype}')
        if features.dim() != 2:
            raise ValueError(f'`{name}` must have two axes, one row per '
                             f'feature, got {tuple(features.shape)}')
    if queries.size(1) != bank.size(1):
        raise ValueError(
            f'`queries` and `bank` must have the same number of channels, '
            f'got {queries.size(1)} and {bank.size(1)}: they are features of '
            'different models')
    if bank.size(0) == 0:
        raise ValueError('`bank` is empty: there are no neighbours')
    if not 1 <= k <= bank.size(0):
        raise ValueError(
            f'`k` must lie between 1 and the number of entries of `bank`, '
            f'{bank.size(0)}, got {k}')


def _check_labels(bank: Tensor, bank_labels: Tensor, num_classes: int) -> None:
    if bank_labels.dtype != torch.int64:
        raise TypeError(f'`bank_labels` must be int64, got '
                        f'{bank_labels.dtype}')
    if bank_labels.shape != bank.shape[:1]:
        raise ValueError(
            f'`bank_labels` must have shape ({bank.size(0)},), a class for '
            f'each entry of `bank`, got {tuple(bank_labels.shape)}')
    smallest, largest = bank_labels.aminmax()
    if int(smallest) < 0 or int(largest) >= num_classes:
        raise ValueError(
            f'`bank_labels` must lie in [0, {num_classes - 1}], got '
            f'{int(smallest)} to {int(largest)}')
