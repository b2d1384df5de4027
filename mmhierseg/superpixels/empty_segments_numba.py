"""Numba kernel of :func:`.empty_segments.fill_empty_segments`.

Legend: N = R x C cells.
"""

import numpy as np

from mmhierseg.ops._numba.switch import njit


@njit  # pragma: no cover
def fill_empty_segments(labels, rows, columns):
    """Give empty segments of an image (H, W) part of their cell, in place.

    Takes the first row of each cell and H, (R + 1,), and likewise columns.
    """
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
    """Find the segment with most pixels in a cell; record what it loses."""
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
