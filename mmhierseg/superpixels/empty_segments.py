"""Giving pixels back to segments that lost all of theirs.

In areas of one colour, as in drawings, the centres of two segments may
coincide. All pixels are then equally near to both, and the first segment takes
them all.

Legend: B images, H x W pixels, N = R x C cells of the starting grid, cell n
being that of segment n.
"""

from functools import lru_cache

import torch
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled

from . import empty_segments_numba
from .base import must_synchronize
from .grid import cell_of_pixel, cell_starts


def fill_empty_segments(labels: Tensor, rows: int, columns: int) -> Tensor:
    """Give empty segments a part of their cell.

    An empty segment takes all pixels of its cell that belong to the segment
    with most pixels there. A segment that would lose all its pixels keeps the
    first.

    Args:
        labels (Tensor): (B, H, W) int64. A pixel's segment is that of its own
            cell or of one of the eight around.
        rows (int): R, at most H.
        columns (int): C, at most W.

    Returns:
        Tensor: (B, H, W) int64. All N segments are in use if cells have at
        least nine pixels: at most eight segments share an empty one's cell, so
        the largest has two pixels there.

    Example:
        >>> labels = torch.zeros(1, 3, 6, dtype=torch.int64)
        >>> fill_empty_segments(labels, rows=1, columns=2)[0, 0]
        tensor([0, 0, 0, 1, 1, 1])
    """
    if use_compiled(labels):
        labels = labels.clone(memory_format=torch.contiguous_format)
        images = labels.numpy()
        starts = [cell_starts(length, cells).numpy()
                  for length, cells in zip(images.shape[1:], (rows, columns))]
        for_each_image(
            lambda i: empty_segments_numba.fill_empty_segments(
                images[i], *starts), len(images))
        return labels
    number, (height, width) = rows * columns, labels.shape[1:]
    image = torch.arange(len(labels), device=labels.device)[:, None, None]
    segment = (labels + number * image).flatten()
    if not must_synchronize(labels):
        # A cheap check; most images have no empty segment.
        used = torch.zeros(len(labels) * number, dtype=torch.bool)
        if used.index_fill_(0, segment, True).all():
            return labels
    sizes = segment.new_zeros(len(labels) * number).scatter_add_(
        0, segment, torch.ones_like(segment))
    cell = _number_cells(height, width, rows, columns, labels.device)
    cell = (cell + number * image).flatten()
    pixel = (sizes[cell] == 0).nonzero().squeeze(1)
    cell, segment = cell[pixel], segment[pixel]

    # Position of a segment among the nine cells around a cell.
    right = segment % columns - cell % columns + 1
    down = (segment - cell - right + 1).div(
        columns, rounding_mode='floor') + 1
    around = 3 * down + right
    shares = sizes.new_zeros(len(sizes) * 9).scatter_add_(
        0, cell * 9 + around, torch.ones_like(cell))
    # The first of equal ones, which argmax does not guarantee.
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
