r"""Moving the borders of connected segments by histograms of colours.

k-means compares a colour with the mean of a segment, which says little about
textures: a stripe may be nearer to the mean of the segment beside it. Here a
pixel at a border asks how frequent its colour is in its own segment and in
those that it touches, as in Van den Bergh et al., "SEEDS: Superpixels
Extracted via Energy-Driven Sampling", IJCV 2015, and goes where

.. math:: (p + \epsilon) (n + 8)

is largest: p is the share of the segment's pixels that have the colour, n how
many of the pixel's four neighbours are of the segment, which keeps borders
smooth. Blocks of pixels are moved first, by the means of their shares, then
ever smaller ones.

Differences from SEEDS: all blocks whose row and column have the same parities
move at once, four times a pass; histograms, and what is at a border, are
those of the start of a pass; and no move cuts a segment in two, for which a
look at the eight blocks around is enough. So segments stay connected, none
vanishes, and the order in which blocks are taken does not matter.

Shares are rounded to whole numbers of 1 / _SHARES; all else is exact, so that
the result is the same on every device, and in the compiled twin.

Legend: B images of H x W pixels, or h x w blocks of F pixels; N segments an
image; K bins. S = B * N + 1 segments in all, of which the last is what lies
outside. Maps have a frame of it, and hold for each block where the histogram
of its segment begins.
"""

from functools import cache, lru_cache, wraps
from itertools import accumulate
from typing import Callable, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled
from mmhierseg.superpixels.borders_numba import (
    refine_borders as compiled_refine_borders,
)

from .waiting import has_to_wait

#: Bits that a bin has of each channel.
_BITS = 3
_NUM_BINS = 2**(3 * _BITS)
#: A share is a whole number of 1 / _SHARES, and epsilon is _LEAST of them.
_SHARES, _LEAST = 2**11, 2
#: What is added to the number of neighbours.
_SMOOTHNESS = 8
#: Side of a block, at most. A score is up to (_SHARES + _LEAST) * side**2 *
#: (4 + _SMOOTHNESS), and takes three bits more, all of which float32 holds.
_MAX_SIDE = 8
#: Cells with fewer keep their borders; a histogram has 2 KiB, and is there
#: twice.
_LEAST_PIXELS = 16
#: Rows and columns from a block to those around it. Behind the corners what
#: it chooses from: left, below, right, above, and last itself.
_AROUND = ((-1, 1), (1, 1), (1, -1), (-1, -1), (0, -1), (1, 0), (0, 1),
           (-1, 0), (0, 0))


class _Places(NamedTuple):
    """Places in a map, (B, h + 2, w + 2), flat."""

    inside: Tensor  # (B * h * w,) int64, blocks, those that move at once ...
    ends: Tensor  # (4,) int64, on the CPU ... side by side: where these end
    ends_list: Tuple[int, ...]  # the same
    block: Tensor  # (B * h * w,) int64, their numbers in reading order
    steps: Tensor  # (9, 1) int64, _AROUND


class _Tables(NamedTuple):
    """What does not depend on the size of images."""

    weights: Tensor  # (6, 14) float32, see _choose
    offsets: Tensor  # (6, 1) float32
    movable: Tensor  # (256,) bool, by the bits of blocks of the same segment
    order: Tensor  # (5, 1) float32, 0 to 4


def largest_block(size: Tuple[int, int], grid: Tuple[int, int],
                  num_passes: int) -> int:
    """Side of the blocks that are moved first.

    Args:
        size (Tuple[int, int]): H, W, in pixels.
        grid (Tuple[int, int]): Rows, at most H, and columns, at most W, of
            the grid that segments started from.
        num_passes (int): As in :func:`refine_borders`.

    Returns:
        int: A power of two, at most a fourth of the side of a cell of the
        grid, but 1 in thin cells. 0 if nothing is to be moved: cells have
        less than 16 pixels, where a histogram would take more memory than
        they are worth, or segments may have more than can be counted.

    Example:
        >>> largest_block((32, 48), (2, 3), 1)
        4
    """
    cell = size[0] // grid[0], size[1] // grid[1]
    if cell[0] * cell[1] < _LEAST_PIXELS:
        return 0
    side = 1
    while 8 * side <= min(cell) and side < _MAX_SIDE:
        side *= 2
    # A segment has pixels of the nine cells around; each pass adds blocks of
    # a fourth of a cell, then half as large, and so on, along each border. It
    # never has more than there are, of which each may be counted once for
    # each pixel of a block that sticks out.
    most = min((3 + num_passes)**2 * cell[0] * cell[1], size[0] * size[1])
    while side and side**2 * most >= 2**24:
        side //= 2
    return side


def refine_borders(labels: Tensor, images: Tensor, num_labels: int, side: int,
                   num_passes: int) -> Tensor:
    """Move the borders of segments to where colours are alike.

    Args:
        labels (Tensor): (B, h, w) int64, 0 to ``num_labels - 1``, of blocks
            of ``side`` pixels a side: h = ceil(H / side) and w =
            ceil(W / side). Each segment is connected.
        images (Tensor): (B, 3, H, W) uint8.
        num_labels (int): N.
        side (int): Up to what :func:`largest_block` says, a power of two.
        num_passes (int): How often blocks of each size may move.

    Returns:
        Tensor: (B, H, W) int64; the same labels are in use, and each segment
        is connected.

    Example:
        >>> image = torch.tensor([[9, 9, 9, 99, 99, 99]]).byte()
        >>> labels = torch.tensor([[[0, 0, 1, 1, 1, 1]]])
        >>> refine_borders(labels, image.expand(1, 3, 1, 6), 2, 1, 1)
        tensor([[[0, 0, 0, 1, 1, 1]]])
    """
    if use_compiled(labels):
        return _compiled(labels, images, num_labels, side, num_passes)
    size, bins = tuple(images.shape[2:]), _find_bins(images)
    image = torch.arange(len(labels), device=labels.device)[:, None, None]
    outside = len(labels) * num_labels * _NUM_BINS
    segments = F.pad((labels + image * num_labels) * _NUM_BINS, (1, 1, 1, 1),
                     value=outside)
    counts, whole = None, False
    while True:
        # Blocks that stick out count pixels twice.
        before, whole = whole, not any(length % side for length in size)
        if not (before and whole):
            counts = None
        counts = _move_blocks(segments, _cut(bins, side), outside, counts,
                              num_passes, side > 1)
        if side == 1:
            labels = segments[:, 1:-1, 1:-1] >> (3 * _BITS)
            return labels.sub_(image * num_labels)
        side //= 2
        parents = _find_parents(len(labels), *size, side, labels.device)
        segments = _take(segments.view(-1), parents)


def _compiled(labels: Tensor, images: Tensor, num_labels: int, side: int,
              num_passes: int) -> Tensor:
    """What the twin makes of each image."""
    result = torch.empty((len(images), *images.shape[2:]), dtype=torch.int64)
    start, pixels, found = labels.numpy(), images.numpy(), result.numpy()
    options = (_BITS, _SHARES, _LEAST, _SMOOTHNESS)
    movable = _find_movable().numpy()
    for_each_image(
        lambda i: compiled_refine_borders(start[i], pixels[i], num_labels,
                                          side, num_passes, options, movable,
                                          found[i]), len(images))
    return result


def _find_bins(images: Tensor) -> Tensor:
    """Bin of each pixel, (B, H, W) int16."""
    red, green, blue = (images >> (8 - _BITS)).to(torch.int16).unbind(1)
    return red.mul(4**_BITS).add_(green, alpha=2**_BITS).add_(blue)


def _cut(bins: Tensor, side: int) -> Tensor:
    """Bring the pixels of each block together, (F, B * h * w) int16.

    Blocks that stick out repeat the last row or column.
    """
    number, *size = bins.shape
    rows, columns = (-(-length // side) for length in size)
    if size != [rows * side, columns * side]:
        row, column = (
            torch.arange(blocks * side, device=bins.device).clamp(
                max=length - 1) for blocks, length in zip(
                    (rows, columns), size))
        bins = bins[:, row][:, :, column]
    blocks = bins.view(number, rows, side, columns, side)
    return blocks.permute(2, 4, 0, 1, 3).reshape(side**2, -1)


def _move_blocks(segments: Tensor, bins: Tensor, outside: int,
                 counts: Optional[Tensor], num_passes: int,
                 count_last: bool) -> Tensor:
    """Move blocks of one size, in place.

    Args:
        segments (Tensor): (B, h + 2, w + 2) int64, changed.
        bins (Tensor): (F, B * h * w) int16.
        outside (int): Where the last histogram begins.
        counts (Tensor, optional): (S * K,) float32, the histograms; may be
            changed.
        num_passes (int): How often.
        count_last (bool): Whether to bring the histograms up to date with the
            last pass.

    Returns:
        Tensor, optional: As ``counts``.
    """
    places = _find_places(*segments.shape, segments.device)
    flat = segments.view(-1)
    for number in range(num_passes):
        if counts is None:
            counts = _count(flat, bins, places, outside)
        before = segments.clone().view(-1)
        _move_once(segments, bins, _share(counts), places)
        if has_to_wait(segments):
            counts = None
        elif count_last or number < num_passes - 1:
            _recount(counts, before, flat, bins, places)
    return counts


def _count(segments: Tensor, bins: Tensor, places: _Places,
           outside: int) -> Tensor:
    """Histograms of all segments, (S * K,) float32, zero outside."""
    counts = torch.zeros(outside + _NUM_BINS, device=segments.device)
    index = (segments.index_select(0, places.inside) +
             bins.index_select(1, places.block))
    return counts.scatter_add_(0, index.view(-1),
                               counts.new_ones(index.numel()))


def _recount(counts: Tensor, before: Tensor, segments: Tensor, bins: Tensor,
             places: _Places) -> None:
    """Bring histograms up to date, in place; few blocks have moved."""
    before, segments = (x.index_select(0, places.inside)
                        for x in (before, segments))
    moved = (before != segments).nonzero().view(-1)
    moved_bins = bins.index_select(1, places.block.index_select(0, moved))
    for some, change in ((before, -1.), (segments, 1.)):
        index = some.index_select(0, moved) + moved_bins
        counts.scatter_add_(0, index.view(-1),
                            counts.new_full((index.numel(), ), change))


def _share(counts: Tensor) -> Tensor:
    """Shares and epsilon of all bins in their segments, (S * K,) float32."""
    counts = counts.view(-1, _NUM_BINS)
    sizes = counts.sum(1, keepdim=True).clamp_(min=1)
    shares = counts.div(sizes.div_(_SHARES)).round_().add_(_LEAST)
    # Nothing moves to the outside.
    shares[-1] = -_SHARES
    return shares.view(-1)


def _move_once(segments: Tensor, bins: Tensor, shares: Tensor,
               places: _Places) -> None:
    """Move blocks once, at a time those that do not touch each other.

    Args:
        segments (Tensor): (B, h + 2, w + 2) int64, changed in place.
        bins (Tensor): (F, B * h * w) int16.
        shares (Tensor): (S * K,) float32.
        places (_Places): Of the map.
    """
    borders = _find_borders(segments).index_select(0, places.inside)
    segments, inside, ends = segments.view(-1), places.inside, places.ends
    block, looks = places.block, not has_to_wait(segments)
    if looks:
        # It saves most of the work; a GPU would be waited for.
        found = borders.nonzero().view(-1)
        ends = torch.searchsorted(found, ends)
        inside, block = (x.index_select(0, found) for x in (inside, block))
    ends = ends.tolist() if looks else places.ends_list
    sizes = [end - start for start, end in zip((0, *ends), ends)]
    bins = bins.index_select(1, block).long()
    borders = (None, ) * 4 if looks else borders.split(sizes)
    for field, own_bins, border in zip(
            inside.split(sizes), bins.split(sizes, dim=1), borders):
        around = _take(segments, field + places.steps)
        best = _choose(around, own_bins, shares, border)
        segments.index_copy_(0, field, best)


def _find_borders(segments: Tensor) -> Tensor:
    """Blocks beside which is another segment.

    Args:
        segments (Tensor): (B, h + 2, w + 2) int64.

    Returns:
        Tensor: (B * (h + 2) * (w + 2),) bool; the first and the last row, of
        the frame, are False.
    """
    width, flat = segments.size(2), segments.view(-1)
    # From the end of a row to the start of the next is within the frame.
    below, right = flat[:-width] != flat[width:], flat[:-1] != flat[1:]
    borders = torch.zeros_like(flat, dtype=torch.bool)
    inner = borders[width:-width]
    torch.bitwise_or(below[:-width], below[width:], out=inner)
    inner.bitwise_or_(right[width:1 - width])
    inner.bitwise_or_(right[width - 1:-width])
    return borders


def _choose(around: Tensor, bins: Tensor, shares: Tensor,
            border: Optional[Tensor]) -> Tensor:
    """Find the best of the segments that blocks may go to.

    Args:
        around (Tensor): (9, n) int64, segments around blocks, see
            ``_AROUND``.
        bins (Tensor): (F, n) int64.
        shares (Tensor): (S * K,) float32.
        border (Tensor, optional): (n,) bool, blocks that may move; None for
            all.

    Returns:
        Tensor: (n,) int64, the own segment where that would be cut in two.
    """
    tables, own = _make_tables(shares.device), around[8]
    choice = around[4:]
    # Comparing into floats saves a conversion: all around with the own
    # segment, then the four beside with those after them.
    equal = shares.new_empty((14, len(own)))
    torch.eq(around[:8], own, out=equal[:8])
    torch.eq(choice[0], choice[1:4], out=equal[8:11])
    torch.eq(choice[1], choice[2:4], out=equal[11:13])
    torch.eq(choice[2], choice[3], out=equal[13])
    # Bits of all around that are of the own segment. And weights of choices,
    # by how many beside are of them.
    sums = torch.addmm(tables.offsets, tables.weights, equal)
    movable = tables.movable.index_select(0, sums[0].int())
    if border is not None:
        movable &= border
    score = _take(shares, choice[:, None] + bins).sum(1)
    # Of equal ones the last, which is the own one if it is among them.
    score = torch.addcmul(tables.order, score, sums[1:])
    best = score.amax(0, keepdim=True).long().bitwise_and_(7)
    return torch.where(movable, choice.gather(0, best)[0], own)


def _take(values: Tensor, index: Tensor) -> Tensor:
    """As ``values[index]``, which takes three times as long on the CPU."""
    return values.index_select(0, index.view(-1)).view(index.shape)


def _kept_on_cpu(function: Callable) -> Callable:
    """Keep results for CPUs; elsewhere they are large and soon made."""
    kept = lru_cache(maxsize=16)(function)

    @wraps(function)
    def call(*args):
        return (kept if args[-1].type == 'cpu' else function)(*args)

    return call


@_kept_on_cpu
def _find_places(number: int, height: int, width: int,
                 device: torch.device) -> _Places:
    """Find the places of blocks in maps of this size, frame included."""
    place = torch.arange(number * height * width, device=device)
    place = place.view(number, height, width)[:, 1:-1, 1:-1]
    block = torch.arange(place.numel(), device=device).view(place.shape)
    fields = [(slice(None), slice(row, None, 2), slice(column, None, 2))
              for row in (0, 1) for column in (0, 1)]
    inside, block = (torch.cat([x[field].flatten() for field in fields])
                     for x in (place, block))
    ends = tuple(accumulate(place[field].numel() for field in fields))
    return _Places(inside, torch.tensor(ends), ends, block,
                   _make_steps(width, device))


@lru_cache(maxsize=64)
def _make_steps(width: int, device: torch.device) -> Tensor:
    """From a block to those around it, in maps of this width."""
    steps = torch.tensor([row * width + column for row, column in _AROUND])
    return steps[:, None].to(device)


@_kept_on_cpu
def _find_parents(number: int, height: int, width: int, side: int,
                  device: torch.device) -> Tensor:
    """Places in a map, for those of the map with blocks half as large.

    Args:
        number (int): B.
        height (int): H, in pixels.
        width (int): W.
        side (int): Of the smaller blocks.
        device (torch.device): Where to.

    Returns:
        Tensor: (B, h + 2, w + 2) int64; those of the frame are in the frame.
    """
    row, rows = _find_parents_of_side(height, side, device)
    column, columns = _find_parents_of_side(width, side, device)
    image = torch.arange(number, device=device)[:, None, None] * rows * columns
    return image + row[:, None] * columns + column


def _find_parents_of_side(length: int, side: int,
                          device: torch.device) -> Tuple[Tensor, int]:
    """The same along a side, and the length of the map with large blocks."""
    small, large = (-(-length // x) for x in (side, 2 * side))
    # Places count from the frame on: 0; 1 and 2 to 1, 3 and 4 to 2; the end.
    parents = torch.arange(1, small + 3, device=device) // 2
    parents[-1] = large + 1
    return parents, large + 2


@cache
def _make_tables(device: torch.device) -> _Tables:
    """Make the tables of :func:`_choose`."""
    weights, offsets = torch.zeros(6, 14), torch.zeros(6, 1)
    weights[0, :8] = 2.**torch.arange(8)
    # Each beside counts for itself, and for those that are the same.
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    for row, (first, second) in enumerate(pairs, start=8):
        weights[[1 + first, 1 + second], row] = 1
    weights[5, 4:8] = 1
    offsets[1:5], offsets[5] = _SMOOTHNESS + 1, _SMOOTHNESS
    # In eighths, so that there is room for the order.
    weights[1:] *= 8
    offsets *= 8
    tensors = (weights, offsets, _find_movable(), torch.arange(5.)[:, None])
    return _Tables(*(x.to(device) for x in tensors))


@cache
def _find_movable() -> Tensor:
    """Whether a segment keeps together without a block.

    It does if those of its blocks that are side by side with that one are
    joined by corners.

    Returns:
        Tensor: (256,) bool. Bit i of an index is whether the i-th block of
        ``_AROUND`` is of the segment.
    """
    around = (torch.arange(256)[:, None] >> torch.arange(8) & 1).bool()
    of = dict(zip(_AROUND, around.unbind(1)))
    joined = sum((of[row, column] & of[row, 0] & of[0, column]).long()
                 for row, column in _AROUND[:4])
    beside = around[:, 4:].sum(1)
    # All four in a ring have a join each.
    return (beside > 0) & (beside - joined <= 1)
