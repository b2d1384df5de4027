r"""Refinement of the borders of connected segments by colour histograms.

k-means compares a colour with the mean of a segment, which says little about
textures. Here a pixel at a border looks up how frequent its colour is in its
own segment and in those that it touches, as in Van den Bergh et al., "SEEDS:
Superpixels Extracted via Energy-Driven Sampling", IJCV 2015, and moves to the
segment with the largest

.. math:: (p + \epsilon) (n + 8)

where p is the share of the segment's pixels that have the colour and n the
number of the pixel's four neighbours in the segment, which keeps borders
smooth. Blocks of pixels move first, by the means of their shares, then ever
smaller ones.

Differences from SEEDS: all blocks whose row and column have the same parities
move at once, four times per pass; histograms and borders are those at the
start of the pass; and no move disconnects a segment, so none vanishes. Shares
are rounded to integer multiples of 1 / _SHARES and all else is exact: neither
the order of the blocks nor the device affects the result.

Legend: B images of H x W pixels, or h x w blocks of F pixels; N segments per
image; K bins. S = B * N + 1 segments in all, of which the last is the outside.
A map of blocks, (B, h + 2, w + 2), holds for each the offset of its segment's
histogram; it has a frame that stands for the outside, so every block has eight
neighbours.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from itertools import accumulate
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops._numba import use_compiled

from . import borders_numba
from .base import find, must_synchronize

#: Bits per channel of a bin.
_BITS = 3
_NUM_BINS = 2**(3 * _BITS)
#: Shares are integer multiples of 1 / _SHARES, and epsilon is _LEAST of them;
#: _SMOOTHNESS is added to the number of neighbours.
_SHARES, _LEAST, _SMOOTHNESS = 2**11, 2, 8
#: Largest side of a block. A score is up to (_SHARES + _LEAST) * side**2 *
#: (4 + _SMOOTHNESS) and needs three more bits, which float32 represents.
_MAX_SIDE = 8
#: Borders of smaller cells are not refined: a histogram takes 2 KiB, twice.
_LEAST_PIXELS = 16
#: Rows and columns from a block to its neighbours: the corners, the candidates
#: that it may move to (left, below, right, above), and the block itself.
_AROUND = ((-1, 1), (1, 1), (1, -1), (-1, -1), (0, -1), (1, 0), (0, 1),
           (-1, 0), (0, 0))


class _Places(NamedTuple):
    """Places in a flattened map, in four fields of blocks by parity."""
    inside: Tensor  # (B * h * w,) int64, places of blocks, field by field
    ends: tuple[int, ...]  # end of each of the four fields
    block: Tensor  # (B * h * w,) int64, their numbers without the frame
    steps: Tensor  # (9, 1) int32, _AROUND


def largest_block(size: tuple[int, int], grid: tuple[int, int],
                  num_passes: int) -> int:
    """Side of the blocks that move first, a power of two; 0 for no moves.

    At most a quarter of the side of a cell of the starting grid.
    """
    cell = size[0] // grid[0], size[1] // grid[1]
    if cell[0] * cell[1] < _LEAST_PIXELS:
        return 0
    side = 1
    while 8 * side <= min(cell) and side < _MAX_SIDE:
        side *= 2
    # A segment starts within 3 x 3 cells and grows by a quarter of a cell,
    # then an eighth, and so on, along each border, up to the whole image;
    # pixels may count once per pixel of a block that sticks out.
    most = min((3 + num_passes)**2 * cell[0] * cell[1], size[0] * size[1])
    while side and side**2 * most >= 2**24:
        side //= 2
    return side


def refine_borders(labels: Tensor, images: Tensor, num_labels: int, side: int,
                   num_passes: int) -> Tensor:
    """Move blocks at the borders to the segments that share their colours.

    Labels (B, h, w) of blocks of ``side`` pixels and images (B, 3, H, W) uint8
    become (B, H, W) int64 labels of the same segments, still connected.
    """
    if use_compiled(labels):
        return torch.from_numpy(
            borders_numba.refine_borders(
                # Kernels are compiled for each memory layout they meet.
                labels.contiguous().numpy(), images.contiguous().numpy(),
                num_labels, side, num_passes,
                (_BITS, _SHARES, _LEAST, _SMOOTHNESS),
                _movable_blocks().numpy()))
    size = tuple(images.shape[2:])
    red, green, blue = images.to(torch.int16).__rshift__(8 - _BITS).unbind(1)
    bins = red.mul(4**_BITS).add_(green, alpha=2**_BITS).add_(blue)
    image = torch.arange(len(labels), device=labels.device)[:, None, None]
    outside = len(labels) * num_labels * _NUM_BINS
    segments = F.pad((labels + image * num_labels) * _NUM_BINS, (1, 1, 1, 1),
                     value=outside)
    # Twice as fast. Floats are exact up to four times as many segments, whose
    # histograms would take 34 GB.
    if outside + _NUM_BINS <= 2**31:
        segments = segments.int()
    counts, whole = None, False
    while True:
        # Blocks that extend beyond the image count pixels repeatedly.
        before, whole = whole, not any(length % side for length in size)
        if not (before and whole):
            counts = None
        blocks = _cut_blocks(bins, side)
        counts = _move_blocks(segments, blocks, outside, counts, num_passes,
                              side > 1)
        if side == 1:
            labels = segments[:, 1:-1, 1:-1].long() >> (3 * _BITS)
            return labels.sub_(image * num_labels)
        side //= 2
        segments = _take(
            segments.view(-1),
            _find_parents(len(labels), *size, side, labels.device))


def _move_blocks(segments: Tensor, bins: Tensor, outside: int,
                 counts: Tensor | None, num_passes: int,
                 count_last: bool) -> Tensor | None:
    """Move blocks in the map, in place; returns the histograms (S * K,)."""
    places = _find_places(*segments.shape, segments.device)
    for number in range(num_passes):
        if counts is None:
            counts = _add(
                torch.zeros(outside + _NUM_BINS, device=segments.device),
                segments.view(-1).index_select(0, places.inside),
                _take_blocks(bins, places.block), 1.)
        block, before, after = _move_once(segments, bins, _share(counts),
                                          places)
        if must_synchronize(segments):
            counts = None
        elif count_last or number < num_passes - 1:
            # Few blocks have moved.
            before, after = torch.cat(before), torch.cat(after)
            moved = find(before != after)
            moved_bins = _take_blocks(bins, block.index_select(0, moved))
            _add(counts, before.index_select(0, moved), moved_bins, -1.)
            _add(counts, after.index_select(0, moved), moved_bins, 1.)
    return counts


def _take_blocks(bins: Tensor, block: Tensor) -> Tensor:
    """Some columns of ``bins``, (F, n)."""
    rows = torch.arange(0, bins.numel(), bins.size(1), device=bins.device)
    return _take(bins.view(-1), rows[:, None] + block)


def _add(counts: Tensor, segments: Tensor, bins: Tensor,
         number: float) -> Tensor:
    """Add a number to the counts of n segments, (n,), in bins (F, n)."""
    index = (segments + bins).view(-1).long()
    return counts.scatter_add_(0, index, counts.new_full(index.shape, number))


def _share(counts: Tensor) -> Tensor:
    """Shares plus epsilon of all bins in their segments, (S * K,) float32."""
    counts = counts.view(-1, _NUM_BINS)
    sizes = counts.sum(1, keepdim=True).clamp_(min=1)
    shares = counts.div(sizes.div_(_SHARES)).round_().add_(_LEAST)
    # Nothing moves to the outside.
    shares[-1] = -_SHARES
    return shares.view(-1)


def _move_once(segments: Tensor, bins: Tensor, shares: Tensor,
               places: _Places) -> tuple[Tensor, list, list]:
    """Move blocks once, field by field; ``segments`` changes in place.

    Returns the blocks that were considered and, on the CPU, their segments in
    each field, and the new ones.
    """
    borders = _at_borders(segments).index_select(0, places.inside)
    segments, inside, ends = segments.view(-1), places.inside, places.ends
    block, skip = places.block, not must_synchronize(segments)
    if skip:
        # Leave out blocks that are not at borders, which is most of them.
        found = find(borders)
        ends = torch.searchsorted(found, torch.tensor(ends)).tolist()
        inside, block = (x.index_select(0, found) for x in (inside, block))
    sizes = [end - start for start, end in zip((0, *ends), ends)]
    bins = _take_blocks(bins, block).to(segments.dtype)
    borders = (None, ) * 4 if skip else borders.split(sizes)
    before, after = [], []
    for field, place, own_bins, border in zip(
            inside.split(sizes), inside.to(segments.dtype).split(sizes),
            bins.split(sizes, dim=1), borders):
        around = _take(segments, place + places.steps)
        best = _choose(around, own_bins, shares, border)
        segments.scatter_(0, field, best)
        if skip:
            before.append(around[8])
            after.append(best)
    return block, before, after


def _choose(around: Tensor, bins: Tensor, shares: Tensor,
            border: Tensor | None) -> Tensor:
    """Best segment for each of n blocks, its own if that would disconnect."""
    weights, movable, order = _make_tables(shares.device)
    own, choice = around[8], around[4:]
    # All neighbours with the own segment, then the candidates with each other.
    # Offsets, multiples of _NUM_BINS, are exact as floats, which compare fast.
    around = around.float()
    equal = around.new_empty((24, len(own)))
    torch.eq(around[:8], around[8], out=equal[:8])
    beside = around[4:8]
    torch.eq(beside[:, None], beside, out=equal[8:].view(4, 4, -1))
    # Row 0: bits of the own segment's neighbours; 1 to 5: candidates' weights.
    sums = weights @ equal
    movable = movable.index_select(0, sums[0].int())
    if border is not None:
        movable &= border
    score = _take(shares, choice[:, None] + bins)
    score = score.sum(1) if len(bins) > 1 else score[:, 0]
    # The last of equal ones, so the own segment if it is among them.
    score = torch.addcmul(order, score, sums[1:])
    best = score.amax(0, keepdim=True).long().bitwise_and_(7)
    return torch.where(movable, choice.gather(0, best)[0], own)


def _take(values: Tensor, index: Tensor) -> Tensor:
    """``values[index]``, which takes three times as long on the CPU."""
    return values.index_select(0, index.view(-1)).view(index.shape)


@cache
def _make_tables(device: torch.device) -> tuple[Tensor, ...]:
    """Constants of :func:`_choose`: (6, 24), (256,) and (5, 1)."""
    weights = torch.zeros(6, 24)
    weights[0, :8] = 2.**torch.arange(8)
    # Each candidate counts itself and its equals, in eighths, so that there is
    # room for the order. It equals itself, so that row 8 + 5 * i is 1.
    weights[1:5, 8:] = 8 * torch.eye(4).repeat_interleave(4, dim=1)
    weights[5, 4:8] = 8
    weights[range(1, 6), (8, 13, 18, 23, 8)] += 8 * _SMOOTHNESS
    return tuple(x.to(device) for x in (
        weights, _movable_blocks(), torch.arange(5.)[:, None]))


def _cached_on_cpu(function: Callable) -> Callable:
    """Cache results if the last argument, the device, is the CPU."""
    cached = lru_cache(maxsize=16)(function)

    def call(*args):
        # Elsewhere memory is scarce, and results are cheap.
        return (cached if args[-1].type == 'cpu' else function)(*args)

    return call


@_cached_on_cpu
def _find_places(number: int, height: int, width: int,
                 device: torch.device) -> _Places:
    """Places of blocks in maps of this size, frame included."""
    place = torch.arange(number * height * width, device=device)
    place = place.view(number, height, width)[:, 1:-1, 1:-1]
    block = torch.arange(place.numel(), device=device).view(place.shape)
    fields = [(slice(None), slice(row, None, 2), slice(column, None, 2))
              for row in (0, 1) for column in (0, 1)]
    inside, block = (torch.cat([x[field].flatten() for field in fields])
                     for x in (place, block))
    ends = tuple(accumulate(place[field].numel() for field in fields))
    return _Places(inside, ends, block, _steps(width, device))


@lru_cache(maxsize=64)
def _steps(width: int, device: torch.device) -> Tensor:
    steps = [row * width + column for row, column in _AROUND]
    return torch.tensor(steps, dtype=torch.int32)[:, None].to(device)


@_cached_on_cpu
def _find_parents(number: int, height: int, width: int, side: int,
                  device: torch.device) -> Tensor:
    """Places of the blocks of ``2 * side`` around each, (B, h + 2, w + 2)."""
    sides = []
    for length in (height, width):
        small, large = (-(-length // x) for x in (side, 2 * side))
        # Places with the frame: 0 -> 0; 1, 2 -> 1; 3, 4 -> 2; ...; end -> end.
        parents = torch.arange(1, small + 3, device=device) // 2
        parents[-1] = large + 1
        sides.append((parents, large + 2))
    (row, rows), (column, columns) = sides
    image = torch.arange(number, device=device)[:, None, None] * rows * columns
    return image + row[:, None] * columns + column


def _cut_blocks(pixels: Tensor, side: int) -> Tensor:
    """Collect the pixels of each block, (B, H, W) -> (F, B * h * w)."""
    number, *size = pixels.shape
    rows, columns = (-(-length // side) for length in size)
    if size != [rows * side, columns * side]:
        row, column = (
            torch.arange(blocks * side, device=pixels.device).clamp(
                max=length - 1)
            for blocks, length in zip((rows, columns), size))
        pixels = pixels[:, row][:, :, column]
    blocks = pixels.view(number, rows, side, columns, side)
    return blocks.permute(2, 4, 0, 1, 3).reshape(side**2, -1)


def _at_borders(segments: Tensor) -> Tensor:
    """Blocks beside another segment, (B * (h + 2) * (w + 2),) bool."""
    width, flat = segments.size(2), segments.view(-1)
    # From the end of a row to the start of the next is within the frame.
    below, right = flat[:-width] != flat[width:], flat[:-1] != flat[1:]
    borders = torch.zeros_like(flat, dtype=torch.bool)
    inner = borders[width:-width]
    torch.bitwise_or(below[:-width], below[width:], out=inner)
    inner.bitwise_or_(right[width:1 - width])
    inner.bitwise_or_(right[width - 1:-width])
    return borders


@cache
def _movable_blocks() -> Tensor:
    """Whether a segment stays connected without a block, (256,) bool.

    Bit i of an index says whether ``_AROUND[i]`` is in the segment.
    """
    around = (torch.arange(256)[:, None] >> torch.arange(8) & 1).bool()
    of = dict(zip(_AROUND, around.unbind(1)))
    joined = sum((of[row, column] & of[row, 0] & of[0, column]).long()
                 for row, column in _AROUND[:4])
    beside = around[:, 4:].sum(1)
    # Four sides that form a ring have four joints, one more than needed.
    return (beside > 0) & (beside - joined <= 1)
