"""Giving pixels back to segments that lost all of theirs.

In areas of one colour, as in drawings, the centres of two segments may
coincide. The first segment then takes all pixels.

Legend: B images, H x W pixels, N = R x C cells of the starting grid, cell n
being that of segment n.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, njit, use_compiled

from .base import must_synchronize
from .grid import cell_map, cell_starts


def fill_empty_segments(labels: Tensor, rows: int, columns: int) -> Tensor:
    """Give empty segments of labels (B, H, W) int64 a part of their cell.

    They take the pixels of the segment that has most there. All are in use
    afterwards if cells have at least nine pixels.
    """
    if use_compiled(labels):
        labels = labels.clone(memory_format=torch.contiguous_format)
        images = labels.numpy()
        height, width = images.shape[1:]
        starts = _starts(height, rows), _starts(width, columns)
        for_each_image(
            lambda i: _fill_empty_segments_kernel(images[i], *starts),
            len(images))
        return labels
    number, (height, width) = rows * columns, labels.shape[1:]
    image = torch.arange(len(labels), device=labels.device)[:, None, None]
    segment = (labels + number * image).flatten()
    if not must_synchronize(labels):
        # A cheap check; most images have no empty segment.
        used = torch.zeros(len(labels) * number, dtype=torch.bool)
        if used.index_fill_(0, segment, 1).all():
            return labels
    sizes = segment.new_zeros(len(labels) * number).scatter_add_(
        0, segment, torch.ones_like(segment))
    cell = cell_map(height, width, rows, columns, labels.device)
    cell = (cell + number * image).flatten()
    pixel = (sizes[cell] == 0).nonzero().squeeze(1)
    cell, segment = cell[pixel], segment[pixel]

    # Position of a segment among the nine cells around a cell.
    right = segment % columns - cell % columns + 1
    down = segment // columns - cell // columns + 1
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


@lru_cache(maxsize=32)
def _starts(length: int, num_cells: int) -> np.ndarray:
    return cell_starts(length, num_cells).numpy()


@njit  # pragma: no cover
def _fill_empty_segments_kernel(labels, rows, columns):
    """The same for an image (H, W), in place; cells as by `cell_starts`."""
    height, width = labels.shape
    number = (len(rows) - 1) * (len(columns) - 1)
    sizes = np.zeros(number, np.int64)
    for label in labels.ravel():
        sizes[label] += 1
    if sizes.all():
        return
    giver = np.full(number, -1, np.int64)
    losses = np.zeros(number, np.int64)
    first = np.full(number, labels.size, np.int64)
    for cell in range(number):
        if sizes[cell] == 0:
            giver[cell] = _find_giver(labels, cell, rows, columns, losses,
                                      first)
    for cell in range(number):
        if sizes[cell] > 0:
            continue
        other = giver[cell]
        r, c = divmod(cell, len(columns) - 1)
        for y in range(rows[r], rows[r + 1]):
            for x in range(columns[c], columns[c + 1]):
                if labels[y, x] == other and (losses[other] < sizes[other] or
                                              y * width + x != first[other]):
                    labels[y, x] = cell


@njit  # pragma: no cover
def _find_giver(labels, cell, rows, columns, losses, first):
    """Segment with most pixels in a cell; records what it loses."""
    width, num_columns = labels.shape[1], len(columns) - 1
    r, c = divmod(cell, num_columns)
    shares = np.zeros(9, np.int64)
    starts = np.full(9, labels.size, np.int64)
    for y in range(rows[r], rows[r + 1]):
        for x in range(columns[c], columns[c + 1]):
            row, column = divmod(labels[y, x], num_columns)
            k = 3 * (row - r + 1) + column - c + 1
            shares[k] += 1
            starts[k] = min(starts[k], y * width + x)
    k = np.argmax(shares)
    other = cell + (k // 3 - 1) * num_columns + k % 3 - 1
    losses[other] += shares[k]
    first[other] = min(first[other], starts[k])
    return other
