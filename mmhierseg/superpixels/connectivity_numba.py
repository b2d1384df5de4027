"""Numba kernel of :func:`.connectivity.enforce_connectivity`.

Runs of equal labels within a row are the elements of a union-find, whose
roots come first in reading order.

Legend: H x W pixels, numbered in reading order.
"""

import numpy as np

from mmhierseg.ops._numba.switch import njit


@njit  # pragma: no cover
def enforce_connectivity(labels, num_labels, result):
    """Reduce segments (H * W,) to their largest part, in ``result``."""
    height, width = result.shape
    starts = np.empty(labels.size + 1, np.int32)
    rows = np.empty(height + 1, np.int32)
    number = _find_runs(labels, width, starts, rows)
    starts = starts[:number + 1]
    root = np.arange(number, dtype=np.int32)
    for row in range(1, height):
        _join(labels, width, starts, rows[row - 1], rows[row], rows[row + 1],
              root)
    left = _keep_largest(labels, num_labels, starts, root, result.ravel())
    _absorb(left, width, result.ravel())


@njit  # pragma: no cover
def _find_runs(labels, width, starts, rows):
    """List the first pixel of each run and the first run of each row."""
    number = 0
    for row in range(len(rows) - 1):
        rows[row] = number
        before = np.int64(-1)
        for pixel in range(row * width, (row + 1) * width):
            if labels[pixel] != before:
                before = labels[pixel]
                starts[number] = pixel
                number += 1
    rows[-1] = number
    starts[number] = labels.size
    return number


@njit  # pragma: no cover
def _join(labels, width, starts, above, below, end, root):
    """Join runs of a row with those of the row above that they touch."""
    upper, lower = above, below
    while upper < below and lower < end:
        if labels[starts[upper]] == labels[starts[lower]]:
            one, other = _find_root(root, upper), _find_root(root, lower)
            root[max(one, other)] = min(one, other)
        # Advance the run that ends first, or both.
        upper_end = starts[upper + 1] + width
        lower_end = starts[lower + 1]
        if upper_end <= lower_end:
            upper += 1
        if lower_end <= upper_end:
            lower += 1


@njit  # pragma: no cover
def _find_root(root, run):
    while root[run] != run:
        # Path halving.
        root[run] = root[root[run]]
        run = root[run]
    return run


@njit  # pragma: no cover
def _keep_largest(labels, num_labels, starts, root, result):
    """Write the labels to keep, -1 elsewhere, and list the other pixels."""
    sizes = np.zeros(len(root), np.int32)
    largest = np.full(num_labels, -1, np.int32)
    for run in range(len(root)):
        root[run] = _find_root(root, run)
        sizes[root[run]] += starts[run + 1] - starts[run]
    for run in range(len(root)):
        label = labels[starts[run]]
        if root[run] == run and (largest[label] < 0 or
                                 sizes[run] > sizes[largest[label]]):
            largest[label] = run
    left, number = np.empty(labels.size, np.int32), 0
    for run in range(len(root)):
        label = labels[starts[run]]
        if largest[label] == root[run]:
            result[starts[run]:starts[run + 1]] = label
            continue
        for pixel in range(starts[run], starts[run + 1]):
            result[pixel] = -1
            left[number] = pixel
            number += 1
    return left[:number]


@njit  # pragma: no cover
def _absorb(left, width, labels):
    """Give the pixels that are left to a neighbour, ring by ring."""
    number = len(left)
    pixels, values = np.empty(number, np.int32), np.empty(number, np.int64)
    while number:
        found = rest = 0
        for i in range(number):
            pixel = left[i]
            column = pixel % width
            label = np.int64(-1)
            if pixel >= width:
                label = labels[pixel - width]
            if label < 0 and column > 0:
                label = labels[pixel - 1]
            if label < 0 and column < width - 1:
                label = labels[pixel + 1]
            if label < 0 and pixel < labels.size - width:
                label = labels[pixel + width]
            if label < 0:
                left[rest] = pixel
                rest += 1
            else:
                pixels[found], values[found] = pixel, label
                found += 1
        # Not earlier, so that the pixels of a ring do not see each other.
        for i in range(found):
            labels[pixels[i]] = values[i]
        number = rest
