"""Maps of blocks of pixels: their places, neighbours and topology.

A map of h x w blocks, (B, h + 2, w + 2), has a frame that stands for the
outside, so every block has eight neighbours.

Legend: B images of H x W pixels, or of h x w blocks of F pixels.
"""

from collections.abc import Callable
from functools import cache, lru_cache, wraps
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

#: Rows and columns from a block to its neighbours: the corners, the candidates
#: that it may move to (left, below, right, above), and the block itself.
AROUND = ((-1, 1), (1, 1), (1, -1), (-1, -1), (0, -1), (1, 0), (0, 1), (-1, 0),
          (0, 0))


class Places(NamedTuple):
    """Places in a flattened map, in four fields of blocks by parity."""
    inside: Tensor  # (B * h * w,) int64, places of blocks, field by field
    ends: tuple[int, ...]  # end of each of the four fields
    block: Tensor  # (B * h * w,) int64, their numbers without the frame
    steps: Tensor  # (9, 1) int64, AROUND


def cached_on_cpu(function: Callable) -> Callable:
    """Cache results if the last argument, the device, is the CPU."""
    cached = lru_cache(maxsize=16)(function)

    @wraps(function)
    def call(*args):
        # Elsewhere memory is scarce, and results are cheap.
        return (cached if args[-1].type == 'cpu' else function)(*args)

    return call


@cached_on_cpu
def find_places(number: int, height: int, width: int,
                device: torch.device) -> Places:
    """Places of blocks in maps of this size, frame included."""
    place = torch.arange(number * height * width, device=device)
    place = place.view(number, height, width)[:, 1:-1, 1:-1]
    block = torch.arange(place.numel(), device=device).view(place.shape)
    fields = [(slice(None), slice(row, None, 2), slice(column, None, 2))
              for row in (0, 1) for column in (0, 1)]
    inside, block = (torch.cat([x[field].flatten() for field in fields])
                     for x in (place, block))
    ends = tuple(accumulate(place[field].numel() for field in fields))
    return Places(inside, ends, block, _steps(width, device))


@lru_cache(maxsize=64)
def _steps(width: int, device: torch.device) -> Tensor:
    steps = torch.tensor([row * width + column for row, column in AROUND])
    return steps[:, None].to(device)


@cached_on_cpu
def find_parents(number: int, height: int, width: int, side: int,
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


def cut_blocks(pixels: Tensor, side: int) -> Tensor:
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


def at_borders(segments: Tensor) -> Tensor:
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
def movable_blocks() -> Tensor:
    """Whether a segment stays connected without a block, (256,) bool.

    Bit i of an index says whether ``AROUND[i]`` is in the segment.
    """
    around = (torch.arange(256)[:, None] >> torch.arange(8) & 1).bool()
    of = dict(zip(AROUND, around.unbind(1)))
    joined = sum((of[row, column] & of[row, 0] & of[0, column]).long()
                 for row, column in AROUND[:4])
    beside = around[:, 4:].sum(1)
    # Four sides that form a ring have four joints, one more than needed.
    return (beside > 0) & (beside - joined <= 1)
