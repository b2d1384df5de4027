"""Collecting rows that processes have different numbers of."""

import torch
from mmengine.dist import all_gather
from torch import Tensor

__all__ = ['gather_rows']


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
