"""Connected segments: absorption of all but the largest component.

k-means on colour and position scatters a segment over several places. Here
each segment keeps its largest part, and the rest goes to the segments around.
All values are integers: the result does not depend on the device.

The elements of the union-find are runs of equal labels within a row; in the
numba kernel, roots come first in reading order. A GPU is synchronised only to
read their number and that of the pixels to absorb; on the CPU, where reading
is free, loops stop when nothing is left to do.

Legend: B images, H x W pixels, R runs; pixels are neighbours if they share a
side.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, njit, use_compiled

from .base import find, must_synchronize


def enforce_connectivity(labels: Tensor,
                         num_labels: int,
                         most_pixels: int | None = None) -> Tensor:
    """Reduce each segment of (B, H, W) int64 labels to its largest part.

    The pixels of other parts join a neighbouring segment, from their border
    inwards. ``most_pixels`` of a segment, if known, saves work on a GPU.
    """
    if use_compiled(labels):
        result = torch.empty(labels.shape, dtype=torch.int64)
        images, found = labels.flatten(1).numpy(), result.numpy()
        for_each_image(
            lambda i: _enforce_kernel(images[i], num_labels, found[i]),
            len(images))
        return result
    start, upper, lower = _find_runs(labels)
    most = min(len(start), most_pixels or labels[0].numel())
    parts = _join(len(start), upper, lower, most)
    left = _find_left(labels, num_labels, start, parts)
    absorb = _absorb_along_paths if must_synchronize(labels) else _absorb
    return absorb(labels, left)


def _find_runs(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """First pixels of runs, (R,), and the upper and lower run of each pair."""
    width = labels.size(2)
    begins = torch.ones_like(labels, dtype=torch.bool)
    begins[:, :, 1:] = labels[:, :, 1:] != labels[:, :, :-1]
    of_pixel = begins.flatten().cumsum(0).sub_(1)
    # The first pixel of each contact with a run of the row above.
    touches = torch.zeros_like(begins)
    below = labels[:, 1:] == labels[:, :-1]
    touches[:, 1:] = below
    touches[:, 1:, 1:] &= begins[:, 1:, 1:] | ~below[:, :, :-1]
    lower = find(touches.flatten())
    return (find(begins.flatten()), of_pixel.index_select(0, lower - width),
            of_pixel.index_select(0, lower))


def _join(number: int, upper: Tensor, lower: Tensor, most: int) -> Tensor:
    """First run of the component of each run, (R,) int64.

    Two rounds at least halve the parts of a component of ``most`` runs.
    """
    parts = torch.arange(number, device=upper.device)
    doublings = max(int(most) - 1, 0).bit_length()
    for _ in range(2 * doublings):
        parts.scatter_reduce_(
            0, upper.maximum(lower), upper.minimum(lower), reduce='amin')
        # Follow chains to their ends; each pass doubles the step.
        for _ in range(doublings):
            ahead = parts.index_select(0, parts)
            if not must_synchronize(parts) and ahead.equal(parts):
                break
            parts = ahead
        upper, lower = (parts.index_select(0, x) for x in (upper, lower))
        if not must_synchronize(parts):
            different = find(upper != lower)
            if not len(different):
                break
            upper, lower = (x.index_select(0, different)
                            for x in (upper, lower))
    return parts


def _find_left(labels: Tensor, num_labels: int, start: Tensor,
               parts: Tensor) -> Tensor:
    """Positions, (n,) in ``labels.flatten()``, of the pixels to absorb."""
    label = labels.flatten().index_select(0, start)
    segment = start // labels[0].numel() * num_labels + label
    lengths = start.diff(append=start.new_full((1, ), labels.numel()))
    sizes = torch.zeros_like(parts).scatter_add_(0, parts, lengths)
    # Larger for larger parts, then for earlier ones.
    rank = sizes.index_select(0, parts)
    rank.mul_(len(parts)).add_(len(parts) - 1).sub_(parts)
    best = rank.new_zeros(len(labels) * num_labels).scatter_reduce_(
        0, segment, rank, reduce='amax')
    left = find(rank != best.index_select(0, segment))
    # Enumerate the pixels of these runs, and add the shift to their places.
    lengths = lengths[left]
    shift = start[left] - lengths.cumsum(0) + lengths
    shift = shift.repeat_interleave(lengths)
    return shift.add_(torch.arange(len(shift), device=shift.device))


def _absorb(labels: Tensor, left: Tensor) -> Tensor:
    """Give the pixels ``left``, ring by ring, to a neighbour with a label."""
    height, width = labels.shape[1:]
    around = F.pad(labels, (1, 1, 1, 1), value=-1)
    row = left // width
    left = left + 2 * row + 2 * (width + 2) * (row // height) + width + 3
    width += 2
    flat = around.view(-1)
    flat[left] = -1
    while len(left):
        label = flat.index_select(0, left - width)
        for beside in (-1, 1, width):
            other = flat.index_select(0, left + beside)
            label = torch.where(label < 0, other, label)
        flat.index_copy_(0, left, label)
        left = left.index_select(0, find(label < 0))
    return around[:, 1:-1, 1:-1]


def _absorb_along_paths(labels: Tensor, left: Tensor) -> Tensor:
    """As :func:`_absorb`, in fixed steps, by city-block distance."""
    height, width = labels.shape[1:]
    farthest = height + width
    ring = torch.zeros(labels.shape, dtype=torch.int32, device=labels.device)
    ring.view(-1).index_fill_(0, left, farthest)
    ring = _spread(_spread(ring).transpose(1, 2)).transpose(1, 2)
    around = F.pad(ring, (1, 1, 1, 1), value=farthest)
    pixel = torch.arange(labels.numel(), device=labels.device)
    pixel = pixel.view_as(labels)
    # The last direction wins. Pixels with a label have no nearer neighbour.
    target = pixel
    for beside, step in ((around[:, 2:, 1:-1], width),
                         (around[:, 1:-1, 2:], 1),
                         (around[:, 1:-1, :-2], -1),
                         (around[:, :-2, 1:-1], -width)):
        target = torch.where(beside < ring, pixel + step, target)
    target = target.flatten()
    for _ in range(int(farthest).bit_length()):
        target = target[target]
    return labels.flatten()[target].view_as(labels)


def _spread(ring: Tensor) -> Tensor:
    """Smallest sum of a pixel's ring and the distance to it in its row."""
    place = torch.arange(ring.size(2), dtype=ring.dtype, device=ring.device)
    before = (ring - place).cummin(2).values + place
    behind = (ring + place).flip(2).cummin(2).values.flip(2) - place
    return before.minimum(behind)


@njit  # pragma: no cover
def _enforce_kernel(labels, num_labels, result):
    """Reduce segments (H * W,) to their largest part, in ``result``."""
    height, width = result.shape
    starts = np.empty(labels.size + 1, np.int32)
    rows = np.empty(height + 1, np.int32)
    number = _list_runs(labels, width, starts, rows)
    starts = starts[:number + 1]
    root = np.arange(number, dtype=np.int32)
    for row in range(1, height):
        _join_rows(labels, width, starts, rows[row - 1], rows[row],
                   rows[row + 1], root)
    left = _keep_largest(labels, num_labels, starts, root, result.ravel())
    _absorb_rings(left, width, result.ravel())


@njit  # pragma: no cover
def _list_runs(labels, width, starts, rows):
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
def _join_rows(labels, width, starts, above, below, end, root):
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
def _absorb_rings(left, width, labels):
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
