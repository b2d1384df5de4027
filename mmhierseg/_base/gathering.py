"""Collecting rows that processes have different numbers of."""

from typing import Any, Tuple

import torch
from mmengine.dist import all_gather, all_reduce, get_rank, get_world_size
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = [
    'mean_count', 'gather_rows', 'gather_rows_with_grad', 'all_reduce_max'
]


def gather_rows(rows: Tensor) -> Tensor:
    """Concatenate the rows of all processes, in the order of their ranks.

    MMEngine's ``all_gather`` takes tensors of the same shape only; pickled
    objects would be in memory several times. So the rows are padded to the
    longest, and cut again. Works with NCCL and Gloo, and without either.

    Args:
        rows (Tensor): (n, ...) of any dtype. Processes may differ in n; of
            one that has none, the other axes need not fit.

    Returns:
        Tensor: (sum of n, ...) on the device of ``rows``.

    Raises:
        ValueError: If rows of different processes differ in shape.

    Example:
        >>> gather_rows(torch.arange(3))
        tensor([0, 1, 2])
    """
    shape = torch.tensor(rows.shape, dtype=torch.int64)
    shapes = torch.stack(all_gather(shape))
    filled = shapes[shapes[:, 0] > 0]
    if len(filled) == 0:
        return rows
    if (filled[:, 1:] != filled[0, 1:]).any():
        raise ValueError('rows must have the same shape in all processes, '
                         f'got {filled[:, 1:].tolist()}')
    if len(shapes) == 1:
        return rows
    padded = rows.new_zeros(int(shapes[:, 0].max()), *filled[0, 1:].tolist())
    if len(rows):
        padded[:len(rows)] = rows
    return torch.cat([
        part[:number]
        for part, number in zip(all_gather(padded), shapes[:, 0].tolist())
    ])


def gather_rows_with_grad(rows: Tensor) -> Tuple[Tensor, int]:
    """What :func:`gather_rows` gives, with gradients to all processes.

    The gradient of a row is the sum of what it gets from the losses of all
    processes. Averaged by DistributedDataParallel, it is that of the mean of
    their losses. Both directions communicate, so every process must call
    this, with rows that need a gradient if those of any other process do, and
    go back through the result, also one that has no rows.

    Args:
        rows (Tensor): (n, ...) float, see :func:`gather_rows`; here, the
            other axes must fit even where there are no rows.

    Returns:
        Tuple[Tensor, int]: (sum of n, ...), and where the rows of this
        process begin.

    Raises:
        ValueError: If rows of different processes differ in shape.

    Example:
        >>> rows = torch.ones(3, 2, requires_grad=True)
        >>> gathered, first = gather_rows_with_grad(rows)
        >>> gathered.shape, first
        (torch.Size([3, 2]), 0)
    """
    if get_world_size() == 1:
        return rows, 0
    number = torch.tensor([len(rows)])
    first = int(sum(all_gather(number)[:get_rank()]))
    return _GatherRows.apply(rows, first), first


def mean_count(count: int) -> float:
    """What a sum is divided by, for the mean of processes to be that of all.

    Processes that have different numbers of things would count each of them
    differently, if every process took its own mean.

    Args:
        count (int): How many this process has.

    Returns:
        float: Mean of the counts; 1 if all are 0.

    Example:
        >>> mean_count(3), mean_count(0)
        (3.0, 1.0)
    """
    total = torch.tensor([count])
    all_reduce(total)
    return int(total) / get_world_size() or 1.


def all_reduce_max(number: int) -> int:
    """Largest of the numbers that the processes have."""
    return int(max(all_gather(torch.tensor([number]))))


class _GatherRows(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, rows: Tensor, first: int) -> Tensor:
        ctx.own = slice(first, first + len(rows))
        return gather_rows(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, None]:
        # Contiguous, and a copy: it is written to.
        grad = grad.clone(memory_format=torch.contiguous_format)
        all_reduce(grad)
        return grad[ctx.own], None
