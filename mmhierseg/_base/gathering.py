"""Gather rows from processes that have different numbers of them."""

from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, get_rank, get_world_size
from torch import Tensor
from torch.autograd.function import once_differentiable


def gather_rows(rows: Tensor) -> Tensor:
    """Concatenate rows (n, ...) of all processes, in the order of their ranks.

    n may differ between processes; where it is 0, the other axes need not fit.
    MMEngine's ``all_gather`` takes tensors of one shape, so rows are padded to
    the longest and cut again.
    """
    shape = torch.tensor(rows.shape, dtype=torch.int64)
    shapes = torch.stack(all_gather(shape))
    filled = shapes[shapes[:, 0] > 0]
    if (filled[:, 1:] != filled[:1, 1:]).any():
        raise ValueError('rows must have the same shape in all processes, '
                         f'got {filled[:, 1:].tolist()}')
    if len(shapes) == 1 or len(filled) == 0:
        return rows
    padded = rows.new_zeros(int(shapes[:, 0].max()), *filled[0, 1:].tolist())
    if len(rows):
        padded[:len(rows)] = rows
    return torch.cat([
        part[:number]
        for part, number in zip(all_gather(padded), shapes[:, 0].tolist())
    ])


def gather_rows_with_grad(rows: Tensor) -> tuple[Tensor, int]:
    """:func:`gather_rows` with gradients; also where this process's begin.

    The gradient of a row is the sum over the losses of all processes;
    averaged by DistributedDataParallel, it is that of their mean loss. Both
    directions communicate: every process must call this and backpropagate
    through the result, also one without rows (whose other axes must fit), and
    ``requires_grad`` must be the same everywhere.
    """
    if get_world_size() == 1:
        return rows, 0
    number = torch.tensor([len(rows)])
    first = int(sum(all_gather(number)[:get_rank()]))
    return _GatherRows.apply(rows, first), first


def mean_count(count: int, local: bool = False) -> float:
    """Mean of a count over processes, 1 if all counts are 0.

    A sum divided by it gives, averaged over processes, the mean over all
    items, however many of them each process has. With ``local``, the count of
    this process, which gives the mean of the processes' means.
    """
    if local:
        return count or 1.
    total = torch.tensor([count])
    all_reduce(total)
    return int(total) / get_world_size() or 1.


def all_reduce_max(number: int) -> int:
    """Largest of the numbers of all processes."""
    return int(max(all_gather(torch.tensor([number]))))


class _GatherRows(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, rows: Tensor, first: int) -> Tensor:
        ctx.own = slice(first, first + len(rows))
        return gather_rows(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        # Contiguous, and a copy: it is written to.
        grad = grad.clone(memory_format=torch.contiguous_format)
        all_reduce(grad)
        return grad[ctx.own], None
