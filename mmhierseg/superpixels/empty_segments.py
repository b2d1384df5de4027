"""Giving pixels to segments that lost all of theirs.

In even areas, which drawings have, the centres of two segments may come to
lie in the same place. All pixels are as near to one as to the other, the
first takes them, and the second is left with none.

Legend: B images, H x W pixels, N = R x C cells of the grid that segments
started from, cell n being that of segment n.
"""

from functools import lru_cache

import torch
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled
from mmhierseg.superpixels.empty_segments_numba import (
    fill_empty_segments as compiled_fill_empty_segments,
)

from .grid import cell_of_pixel, cell_starts
from .waiting import has_to_wait


def fill_empty_segments(labels: Tensor, rows: int, columns: int) -> Tensor:
    """Give empty segments a part of their cell.

    It is what one other segment, that with most pixels there, has of the
    cell. No segment is emptied by that: if all its pixels went to others, the
    first stays.

    Args:
        labels (Tensor): (B, H, W) int64. A pixel's segment is that of its own
            cell or of one of the eight around.
        rows (int): R, at most H.
        columns (int): C, at most W.

    Returns:
        Tensor: (B, H, W) int64. All N segments are in use if cells have nine
        pixels at least: no more than eight others share them, so the largest
        has two.

    Example:
        >>> labels = torch.zeros(1, 3, 6, dtype=torch.int64)
        >>> fill_empty_segments(labels, rows=1, columns=2)[0, 0]
        tensor([0, 0, 0, 1, 1, 1])
    """
    if use_compiled(labels):
        return _compiled(labels, rows, columns)
    number, (height, width) = rows * columns, labels.shape[1:]
    image = torch.arange(len(labels), device=labels.device)[:, None, None]
    segment = (labels + number * image).flatten()
    if not has_to_wait(labels):
        # Looking costs little there, and most images have none.
        used = torch.zeros(len(labels) * number, dtype=torch.bool)
        if used.index_fill_(0, segment, True).all():
            return labels
    sizes = segment.new_zeros(len(labels) * number).scatter_add_(
        0, segment, torch.ones_like(segment))
    cell = _number_cells(height, width, rows, columns, labels.device)
    cell = (cell + number * image).flatten()
    pixel = (sizes[cell] == 0).nonzero().squeeze(1)
    cell, segment = cell[pixel], segment[pixel]

    # Which of the nine around its cell a segment is.
    right = segment % columns - cell % columns + 1
    down = (segment - cell - right + 1).div(
        columns, rounding_mode='floor') + 1
    around = 3 * down + right
    shares = sizes.new_zeros(len(sizes) * 9).scatter_add_(
        0, cell * 9 + around, torch.ones_like(cell))
    # Of equal ones the first; argmax would do, but promises nothing.
    shares = shares.view(-1, 9) * 9 + torch.arange(
        8, -1, -1, device=labels.device)
    taken = 8 - shares.amax(1)[cell] % 9 == around

    losses = torch.zeros_like(sizes).scatter_add_(0, segment, taken.long())
    first = torch.full_like(sizes, labels.numel()).scatter_reduce_(
        0, segment, torch.where(taken, pixel, labels.numel()), reduce='amin')
    taken &= (losses < sizes)[segment] | (pixel != first[segment])
    result = labels.flatten().clone()
    result[pixel] = torch.where(taken, cell, segment) % number
    return result.view_as(labels)


@lru_cache(maxsize=16)
def _number_cells(height: int, width: int, rows: int, columns: int,
                  device: torch.device) -> Tensor:
    """(H, W) int64, cell of each pixel."""
    row = cell_of_pixel(height, rows)[:, None]
    return (row * columns + cell_of_pixel(width, columns)).to(device)


def _compiled(labels: Tensor, rows: int, columns: int) -> Tensor:
    """What the twin makes of each image."""
    labels = labels.clone(memory_format=torch.contiguous_format)
    images = labels.numpy()
    starts = [
        cell_starts(length, cells).numpy()
        for length, cells in zip(labels.shape[1:], (rows, columns))
    ]
    for_each_image(
        lambda i: compiled_fill_empty_segments(images[i], *starts),
        len(images))
    return labels
