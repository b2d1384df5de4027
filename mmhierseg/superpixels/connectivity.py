"""Connected segments: absorption of all but the largest component.

k-means on colour and position scatters a segment over several places. Here
each segment keeps its largest part, and the rest goes to the segments around.
All values are integers: the result does not depend on the device.

The elements of the union are runs of equal labels within a row. A GPU is
synchronised only to read their number and that of the pixels to absorb; on the
CPU, where reading is free, loops stop when nothing is left to do.

Legend: B images, H x W pixels, R runs; pixels are neighbours if they share a
side.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled

from . import connectivity_numba
from .base import must_synchronize


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
            lambda i: connectivity_numba.enforce_connectivity(
                images[i], num_labels, found[i]), len(images))
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
    lower = touches.flatten().nonzero().squeeze(1)
    return (begins.flatten().nonzero().squeeze(1), of_pixel[lower - width],
            of_pixel[lower])


def _join(number: int, upper: Tensor, lower: Tensor, most: int) -> Tensor:
    """First run of the component of each run, (R,) int64.

    Two rounds at least halve the parts of a component of ``most`` runs.
    """
    parts = torch.arange(number, device=upper.device)
    doublings = max(most - 1, 0).bit_length()
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
            different = (upper != lower).nonzero().view(-1)
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
    left = (rank != best.index_select(0, segment)).nonzero().squeeze(1)
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
        left = left.index_select(0, (label < 0).nonzero().view(-1))
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
    for _ in range(farthest.bit_length()):
        target = target[target]
    return labels.flatten()[target].view_as(labels)


def _spread(ring: Tensor) -> Tensor:
    """Smallest sum of a pixel's ring and the distance to it in its row."""
    place = torch.arange(ring.size(2), dtype=ring.dtype, device=ring.device)
    before = (ring - place).cummin(2).values + place
    behind = (ring + place).flip(2).cummin(2).values.flip(2) - place
    return before.minimum(behind)
