"""Compact numbering of the segments of each image of a batch.

A window of a larger label map, or a map from which segments have been cut,
uses few of the numbers up to its largest. Relabelling keeps the order of the
numbers and closes the gaps, image by image.

Legend: B images, H x W pixels, M = largest label + 1. Labels are int64,
-1 = none.
"""

from typing import Optional, Tuple

import torch
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled
from mmhierseg.ops._numba.relabel import (
    compact_labels as compiled_compact_labels,
)


def compact_labels(labels: Tensor,
                   num_labels: Optional[int] = None) -> Tuple[Tensor, Tensor]:
    """Renumber the labels of each image to 0..n-1 in their own order.

    Args:
        labels (Tensor): (B, H, W) int64; every negative value means none.
        num_labels (int, optional): A number above all labels, where it is
            known: it saves a read of the largest label, for which a GPU
            would have to be waited for. Defaults to None.

    Returns:
        Tuple[Tensor, Tensor]: The new labels, (B, H, W) int64, -1 = none, and
        the number of segments of each image, (B,) int64.

    Raises:
        TypeError: If ``labels`` is not int64.
        ValueError: If ``labels`` has no batch axis.

    Example:
        >>> labels = torch.tensor([[[7, 7, 2]], [[-1, 9, 9]]])
        >>> compact_labels(labels)
        (tensor([[[ 1,  1,  0]],
        <BLANKLINE>
                [[-1,  0,  0]]]), tensor([2, 1]))
    """
    if labels.dtype != torch.int64:
        raise TypeError(f'`labels` must be int64, got {labels.dtype}')
    if labels.dim() < 2:
        raise ValueError('`labels` must have a batch axis and at least one '
                         f'more, got shape {tuple(labels.shape)}')
    flat = labels.flatten(1)
    if num_labels is None:
        num_labels = max(int(flat.max()) + 1, 0) if flat.numel() else 0
    # The table costs M, the sort pixels x log(pixels): a window of a huge map
    # may hold few pixels with large numbers.
    if num_labels <= 2 * flat.size(1):
        compact, counts = _rank_by_table(flat, num_labels)
    else:
        compact, counts = _rank_by_sort(flat)
    return compact.view_as(labels), counts


def joint_labels(*columns: Tensor) -> Tuple[Tensor, int]:
    """Number the different tuples 0..n-1, in their lexicographic order.

    "Region 7 of view 3" or "group 1 of image 90" become labels of one tensor,
    however large the numbers are that they are made of.

    Args:
        columns (Tensor): Each (n,) of integers, one member of every tuple;
            at least one column.

    Returns:
        Tuple[Tensor, int]: (n,) int64, equal where all members are; and how
        many different tuples there are.

    Raises:
        TypeError: If a column holds no integers.
        ValueError: If there is no column, or they differ in shape.

    Example:
        >>> joint_labels(torch.tensor([5, 5, 2]), torch.tensor([-1, 9, 9]))
        (tensor([1, 2, 0]), 3)
    """
    if not columns:
        raise ValueError('`columns` must be at least one tensor, got none')
    labels, number = None, 0
    for column in columns:
        if column.is_floating_point() or column.is_complex():
            raise TypeError(f'`columns` must hold integers, got '
                            f'{column.dtype}')
        if column.dim() != 1 or column.shape != columns[0].shape:
            shapes = [tuple(column.shape) for column in columns]
            raise ValueError('`columns` must be of one axis and of the same '
                             f'length, got {shapes}')
        values, column = column.unique(return_inverse=True)
        if labels is not None:
            # Both are below n now: their product is no too large number.
            values, column = (labels * len(values) + column).unique(
                return_inverse=True)
        labels, number = column, len(values)
    return labels, number


def _rank_by_table(flat: Tensor, num_labels: int) -> Tuple[Tensor, Tensor]:
    """Rank of each label among those in use, by marking them in a table."""
    if use_compiled(flat):
        return _rank_compiled(flat, num_labels)
    # The extra column takes the pixels without a label.
    column = torch.where(flat < 0, num_labels, flat)
    used = flat.new_zeros(flat.size(0), num_labels + 1, dtype=torch.bool)
    used.scatter_(1, column, 1)
    # A look at the values: nothing to wait for on a CPU, no graph elsewhere.
    may_look = flat.device.type == 'cpu' and not torch.compiler.is_compiling()
    if may_look and used[:, :-1].all() and not used[:, -1].any():
        return flat.clone(), flat.new_full((len(flat), ), num_labels)
    used[:, num_labels:] = False
    rank = used.cumsum(1) - 1
    rank[:, num_labels:] = -1
    return rank.gather(1, column), used.sum(1)


def _rank_compiled(flat: Tensor, num_labels: int) -> Tuple[Tensor, Tensor]:
    """The same by the twin, image by image."""
    compact = torch.empty(flat.shape, dtype=torch.int64)
    counts = torch.zeros(len(flat), dtype=torch.int64)
    images, result, found = flat.numpy(), compact.numpy(), counts.numpy()

    def rank(index: int) -> None:
        found[index] = compiled_compact_labels(images[index], num_labels,
                                               result[index])

    for_each_image(rank, len(images))
    return compact, counts


def _rank_by_sort(flat: Tensor) -> Tuple[Tensor, Tensor]:
    """Rank of each label among those in use, by sorting each image."""
    values, order = flat.clamp(min=-1).sort(dim=1)
    first = torch.ones_like(values, dtype=torch.bool)
    first[:, 1:] = values[:, 1:] != values[:, :-1]
    first &= values >= 0
    rank = first.cumsum(1) - 1
    compact = torch.empty_like(flat).scatter_(1, order, rank)
    return compact, first.sum(1)
