"""Label maps: compact numbering, parents of segments, and the way to a grid.

Legend: B images, N segments, C channels, H x W pixels, H' x W' cells of stride
x stride pixels, H' = ceil(H / stride), M = largest label + 1. Labels are
int64, -1 = none.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ._numba import for_each_image, use_compiled
from ._numba.kernels import rank_labels
from .checks import (
    check_at_least_1,
    check_dtype,
    check_labels,
    check_shape,
    check_tokens,
    is_exporting,
    wide,
)


def compact_labels(labels: Tensor,
                   num_labels: int | None = None) -> tuple[Tensor, Tensor]:
    """Renumber the labels of each image to 0..n-1 in their own order.

    It closes the gaps in a window of a larger map, for example.

    Args:
        labels (Tensor): (B, H, W) int64; every negative value means none.
        num_labels (int, optional): A number above all labels, if known: it
            saves reading the largest label, for which a GPU would have to be
            waited for.

    Returns:
        tuple[Tensor, Tensor]: The new labels, (B, H, W) int64, -1 = none, and
        the number of segments of each image, (B,) int64.

    Example:
        >>> compact_labels(torch.tensor([[[7, 7, 2, -1]]]))
        (tensor([[[ 1,  1,  0, -1]]]), tensor([2]))
    """
    check_dtype(torch.int64, labels=labels)
    flat = labels.flatten(1)
    if num_labels is None:
        num_labels = max(int(flat.max()) + 1, 0) if flat.numel() else 0
    # The table costs M, the sort pixels x log(pixels): a window of a huge map
    # may hold few pixels with large numbers.
    if num_labels > 2 * flat.size(1):
        compact, counts = _rank_by_sort(flat)
    elif use_compiled(flat):
        compact, counts = _rank_compiled(flat, num_labels)
    else:
        compact, counts = _rank_by_table(flat, num_labels)
    return compact.view_as(labels), counts


def joint_labels(*columns: Tensor) -> tuple[Tensor, int]:
    """Number the different tuples 0..n-1, in their lexicographic order.

    "Region 7 of view 3" or "group 1 of image 90" become labels of one tensor,
    however large the ids are.

    Args:
        columns (Tensor): Each (n,) of integers, one member of every tuple; at
            least one column.

    Returns:
        tuple[Tensor, int]: (n,) int64, equal where all members are; and the
        number of different tuples.
    """
    labels, number = None, 0
    for column in columns:
        values, column = column.unique(return_inverse=True)
        if labels is not None:
            # Both are below n now, so their product does not overflow.
            values, column = (labels * len(values) + column).unique(
                return_inverse=True)
        labels, number = column, len(values)
    return labels, number


def look_up_parents(table: Tensor, segments: Tensor) -> Tensor:
    """Parents of segments.

    Args:
        table (Tensor): (B, N) int64, the parent of each segment.
        segments (Tensor): (B, ...) int64 in [-1, N - 1], e.g. those of pixels.

    Returns:
        Tensor: (B, ...) int64; -1 where there is no segment or no parent.
    """
    if table.size(1) == 0:
        return torch.full_like(segments, -1)
    flat = segments.flatten(1)
    parents = table.gather(1, flat.clamp(min=0))
    return torch.where(flat < 0, -1, parents).view_as(segments)


def tokens_to_map(tokens: Tensor, labels: Tensor, stride: int) -> Tensor:
    """Mean of the tokens of the segments in each cell.

    They are summed in one pass, without a map of pixels or a (cells x N)
    matrix.

    Args:
        tokens (Tensor): (B, N, C) float, summed in at least float32.
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        stride (int): Side of a cell in pixels, at least 1.

    Returns:
        Tensor: (B, C, H', W') of the dtype of ``tokens``. Pixels without a
        segment count as zero; border cells are means over the pixels inside.

    Example:
        >>> tokens = torch.tensor([[[1.], [5.]]])
        >>> labels = torch.tensor([[[0, 0, 1], [0, 1, -1]]])
        >>> tokens_to_map(tokens, labels, stride=2)
        tensor([[[[2.0000, 2.5000]]]])
    """
    check_at_least_1(stride=stride)
    check_tokens(tokens=tokens)
    check_labels(labels, tokens.size(1))
    check_shape((labels.size(0), *tokens.shape[1:]), tokens=tokens)
    # A zero row at the end takes the pixels without a segment.
    rows = F.pad(tokens, (0, 0, 0, 1))
    index = torch.where(labels < 0, tokens.size(1), labels)
    if stride == 1:
        flat = index.flatten(1)[:, None].expand(-1, rows.size(2), -1)
        return rows.transpose(1, 2).gather(2, flat).unflatten(
            2, labels.shape[1:])
    height, width = index.shape[1:]
    padded = F.pad(
        index, (0, -width % stride, 0, -height % stride),
        value=rows.size(1) - 1)
    first = rows.size(1) * torch.arange(labels.size(0), device=index.device)
    cells = (padded + first[:, None, None]).unflatten(
        2, (-1, stride)).unflatten(1, (-1, stride)).transpose(2, 3)
    # Pixels of a cell along each axis; the last cell may be cut.
    sides = [(size - torch.arange(0, size, stride, device=index.device)
              ).clamp(max=stride) for size in (height, width)]
    with torch.autocast(rows.device.type, enabled=False):
        table = wide(rows).flatten(0, 1)
        if is_exporting():  # runtimes have no sums over bags
            sums = table[cells.flatten(3)].sum(dim=3)
        else:
            sums = F.embedding_bag(
                cells.reshape(-1, stride * stride), table,
                mode='sum').view(*cells.shape[:3], -1)
        means = sums / (sides[0][:, None] * sides[1])[..., None]
    return means.permute(0, 3, 1, 2).to(rows.dtype)


def _rank_by_table(flat: Tensor, num_labels: int) -> tuple[Tensor, Tensor]:
    # The extra column takes the pixels without a label.
    column = torch.where(flat < 0, num_labels, flat)
    used = flat.new_zeros(flat.size(0), num_labels + 1, dtype=torch.bool)
    used.scatter_(1, column, 1)
    used[:, num_labels:] = False
    rank = used.cumsum(1) - 1
    rank[:, num_labels:] = -1
    return rank.gather(1, column), used.sum(1)


def _rank_compiled(flat: Tensor, num_labels: int) -> tuple[Tensor, Tensor]:
    compact = torch.empty(flat.shape, dtype=torch.int64)
    counts = torch.zeros(len(flat), dtype=torch.int64)
    images, result, found = flat.numpy(), compact.numpy(), counts.numpy()

    def rank(index: int) -> None:
        found[index] = rank_labels(images[index], num_labels, result[index])

    for_each_image(rank, len(images))
    return compact, counts


def _rank_by_sort(flat: Tensor) -> tuple[Tensor, Tensor]:
    values, order = flat.clamp(min=-1).sort(dim=1)
    first = torch.ones_like(values, dtype=torch.bool)
    first[:, 1:] = values[:, 1:] != values[:, :-1]
    first &= values >= 0
    rank = first.cumsum(1) - 1
    compact = torch.empty_like(flat).scatter_(1, order, rank)
    return compact, first.sum(1)
