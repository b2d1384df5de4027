"""Connected segments: components of a label map, and absorbing fragments.

k-means on colour and position scatters a segment over several places. Here
each segment keeps the largest of its parts, and the rest goes to the segments
around. All on integers: the result does not depend on the device.

What is joined are not pixels but runs, equal labels side by side in a row, of
which there are several times fewer. Their number is the one thing that a GPU
is waited for (and that of the pixels that no segment keeps); no loop depends
on what it finds there. On the CPU, where looking costs nothing, loops end
when nothing is left to do.

Legend: B images, H x W pixels, R runs; two pixels are neighbours if they
share a side.
"""

from typing import NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled
from mmhierseg.superpixels.connectivity_numba import (
    enforce_connectivity as compiled_enforce_connectivity,
)

from .waiting import has_to_wait


class _Runs(NamedTuple):
    """The runs of a batch, in reading order."""

    start: Tensor  # (R,) int64, first pixel in ``labels.flatten()``
    of_pixel: Tensor  # (B * H * W,) int64, run of each pixel
    upper: Tensor  # (E,) int64, runs that touch one of the same label ...
    lower: Tensor  # (E,) ... in the row below: that one


def connected_components(labels: Tensor) -> Tensor:
    """Number the connected parts of equal labels.

    Args:
        labels (Tensor): (B, H, W) int64.

    Returns:
        Tensor: (B, H, W) int64. Two pixels have the same number if and only
        if they lie in the same image and a path of neighbours with one label
        joins them. The number is the position of the part's first pixel in
        ``labels.flatten()``.

    Example:
        >>> connected_components(torch.tensor([[[5, 5, 7], [7, 5, 5]]]))
        tensor([[[0, 0, 2],
                 [3, 0, 0]]])
    """
    if labels.numel() == 0:
        return labels
    runs = _find_runs(labels)
    most = min(len(runs.start), labels[0].numel())
    return runs.start[_join(runs, most)][runs.of_pixel].view_as(labels)


def enforce_connectivity(labels: Tensor,
                         num_labels: Optional[int] = None,
                         most_pixels: Optional[int] = None) -> Tensor:
    """Leave each segment its largest connected part.

    The pixels of other parts join a neighbouring segment, from their border
    inwards. Of equally large parts the first in reading order stays.

    Args:
        labels (Tensor): (B, H, W) int64, not negative.
        num_labels (int, optional): A number above all labels, where it is
            known: it saves a read of the largest label, for which a GPU would
            have to be waited for. Defaults to None.
        most_pixels (int, optional): A number of pixels that no segment
            exceeds, where it is known: a GPU then has less to do.
            Defaults to None.

    Returns:
        Tensor: (B, H, W) int64; the same labels are in use as before, and
        each is connected.

    Example:
        >>> enforce_connectivity(torch.tensor([[[0, 0, 1, 0], [0, 1, 1, 1]]]))
        tensor([[[0, 0, 1, 1],
                 [0, 1, 1, 1]]])
    """
    if labels.numel() == 0:
        return labels
    if num_labels is None:
        num_labels = int(labels.max()) + 1
    if use_compiled(labels):
        return _compiled(labels, num_labels)
    runs = _find_runs(labels)
    most = min(len(runs.start), most_pixels or labels[0].numel())
    left = _find_left(labels, num_labels, runs, _join(runs, most))
    absorb = _absorb_along_paths if has_to_wait(labels) else _absorb
    return absorb(labels, left)


def _compiled(labels: Tensor, num_labels: int) -> Tensor:
    """What the twin makes of each image."""
    result = torch.empty(labels.shape, dtype=torch.int64)
    images, found = labels.flatten(1).numpy(), result.numpy()
    for_each_image(
        lambda i: compiled_enforce_connectivity(images[i], num_labels, found[
            i]), len(images))
    return result


def _find_runs(labels: Tensor) -> _Runs:
    """List runs, and once each pair of them that touch."""
    width = labels.size(2)
    begins = torch.ones_like(labels, dtype=torch.bool)
    begins[:, :, 1:] = labels[:, :, 1:] != labels[:, :, :-1]
    of_pixel = begins.flatten().cumsum(0).sub_(1)
    # Pixels below one of the same run, unless their left neighbour is one.
    touches = torch.zeros_like(begins)
    below = labels[:, 1:] == labels[:, :-1]
    touches[:, 1:] = below
    touches[:, 1:, 1:] &= begins[:, 1:, 1:] | ~below[:, :, :-1]
    lower = touches.flatten().nonzero().squeeze(1)
    return _Runs(begins.flatten().nonzero().squeeze(1), of_pixel,
                 of_pixel[lower - width], of_pixel[lower])


def _join(runs: _Runs, most: int) -> Tensor:
    """First run of the part that each run belongs to.

    In a round, every part that touches an earlier one joins the first of
    these. If it touches none, then one that it touches joins it or, joining
    another, makes it do so in the next round. So in two rounds all parts of a
    component become half as many.

    Args:
        runs (_Runs): The runs.
        most (int): A number of runs that no component exceeds.

    Returns:
        Tensor: (R,) int64.
    """
    parts = torch.arange(len(runs.start), device=runs.start.device)
    upper, lower = runs.upper, runs.lower
    doublings = max(most - 1, 0).bit_length()
    for _ in range(2 * doublings):
        parts.scatter_reduce_(
            0, upper.maximum(lower), upper.minimum(lower), reduce='amin')
        # To the end of chains; each pass doubles the steps.
        for _ in range(doublings):
            ahead = parts.index_select(0, parts)
            if not has_to_wait(parts) and ahead.equal(parts):
                break
            parts = ahead
        upper, lower = (parts.index_select(0, x) for x in (upper, lower))
        if not has_to_wait(parts):
            different = (upper != lower).nonzero().view(-1)
            if not len(different):
                break
            upper, lower = (x.index_select(0, different)
                            for x in (upper, lower))
    return parts


def _find_left(labels: Tensor, num_labels: int, runs: _Runs,
               parts: Tensor) -> Tensor:
    """Pixels that do not belong to the largest part of their segment.

    Returns:
        Tensor: (n,) int64, positions in ``labels.flatten()``.
    """
    label = labels.flatten().index_select(0, runs.start)
    segment = runs.start // labels[0].numel() * num_labels + label
    end = runs.start.new_full((1, ), labels.numel())
    lengths = runs.start.diff(append=end)
    sizes = torch.zeros_like(parts).scatter_add_(0, parts, lengths)
    # One number that is larger for a larger part, then for an earlier one.
    rank = sizes.index_select(0, parts)
    rank.mul_(len(parts)).add_(len(parts) - 1).sub_(parts)
    best = rank.new_zeros(len(labels) * num_labels).scatter_reduce_(
        0, segment, rank, reduce='amax')
    left = (rank != best.index_select(0, segment)).nonzero().squeeze(1)
    # Their runs side by side, and what to add to get to their places.
    lengths = lengths[left]
    shift = runs.start[left] - lengths.cumsum(0) + lengths
    shift = shift.repeat_interleave(lengths)
    return shift.add_(torch.arange(len(shift), device=shift.device))


def _absorb(labels: Tensor, left: Tensor) -> Tensor:
    """Give the pixels that are left to a neighbour, one ring at a time.

    Of several neighbours that have a label they take that above, to the left,
    to the right or below, in this order.

    Args:
        labels (Tensor): (B, H, W) int64.
        left (Tensor): (n,) int64, positions in ``labels.flatten()``.

    Returns:
        Tensor: (B, H, W) int64.
    """
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
    """The same in a fixed number of steps.

    A pixel's ring is its distance from the nearest one with a label, along
    rows and columns; the neighbour that it takes its label from is one ring
    nearer. All then follow these steps to their ends.

    Args:
        labels (Tensor): (B, H, W) int64.
        left (Tensor): (n,) int64, positions in ``labels.flatten()``.

    Returns:
        Tensor: (B, H, W) int64.
    """
    height, width = labels.shape[1:]
    farthest = height + width
    ring = torch.zeros(labels.shape, dtype=torch.int32, device=labels.device)
    ring.view(-1).index_fill_(0, left, farthest)
    for dim in (1, 2):
        ring = _spread(ring, dim)
    around = F.pad(ring, (1, 1, 1, 1), value=farthest)
    pixel = torch.arange(labels.numel(), device=labels.device)
    pixel = pixel.view_as(labels)
    # In reverse, so that the first direction is the last word. Nothing is
    # nearer to those that have a label.
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


def _spread(ring: Tensor, dim: int) -> Tensor:
    """Least sum of a pixel's ring and the distance to it along an axis."""
    shape = [1, 1, 1]
    shape[dim] = ring.size(dim)
    place = torch.arange(
        ring.size(dim), dtype=ring.dtype, device=ring.device).view(shape)
    before = (ring - place).cummin(dim).values + place
    behind = (ring + place).flip(dim).cummin(dim).values.flip(dim) - place
    return before.minimum(behind)
