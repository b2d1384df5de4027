r"""SLIC as dense products over a grid of cells, for a batch of images.

Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel
Methods", TPAMI 2012. A pixel p with colour l (L*a*b*) and position x joins
the centre c with the smallest

.. math:: D^2 = \|l_p - l_c\|^2 + (m / S)^2 \|x_p - x_c\|^2

where m is the compactness and S the side of a cell. Two differences from the
paper: a centre is compared with the pixels of its own cell of the starting
grid and of the eight cells around it (the paper: a window of 2S x 2S that
moves with the centre), and it starts from the mean of its cell. One matrix
product per cell, of (9 x 6) by (6 x P), thus compares its pixels with all
candidates, and another sums the pixels that joined each.

All arithmetic is exact. Colours, scaled positions and centres are integer
multiples of 1/8, so that every product and sum below is a multiple of 1/2 that
float32 represents (factors have up to 12 bits; TF32 would drop one and is not
used). Segments therefore do not depend on the device, the number of threads,
the order of summation or the rest of the batch. An eighth is far below the
just noticeable difference (about 2 in L*a*b*).

Legend: B images, R x C cells of at most h x w pixels each, N = R * C,
P = h * w, 9 candidates, 5 features (L, a, b, y, x).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled

from . import dense_slic_numba
from .grid import cell_of_pixel, cell_starts

#: Features and centres are integer multiples of 1 / _STEPS.
_STEPS = 8
#: Up to it the arithmetic is exact; segments are those of a grid long before.
MAX_COMPACTNESS = 100
#: Score of candidates outside the grid, far below all others.
_NEVER = -2.**25
#: Scores that the CPU holds at once, 2 MiB.
_SCORES_PER_TILE = 2**19
#: Pixels of a cell that are summed at once, at most 2^11 eighths each.
_PIXELS_PER_SUM = 2**12
#: Pixels of a cell whose sums, over nine cells, float32 represents.
_PIXELS_PER_FLOAT = 2**8


class _Side(NamedTuple):
    """Division of a side of the image into n cells."""
    starts: Tensor  # (n + 1,) int64, first pixel of each cell, and the length
    middle: Tensor  # (n,) position of the middle of each cell
    position: Tensor  # (length,) relative to the middle of the pixel's cell


class _Cells(NamedTuple):
    """Cells of an image: their pixels and their neighbours."""
    rows: int
    columns: int
    pixel_row: Tensor  # (R * h,) image row of each row of the padded cells
    pixel_column: Tensor  # (C * w,)
    cell_row: Tensor  # (H,) inverse: row in the padded cells of image rows
    cell_column: Tensor  # (W,)
    rest: Tensor  # (N, 3, P) y, x and 1, or 0 where there is no such pixel
    offset: Tensor  # (N, 9, 5) from the cell's middle to the candidate's
    change: Tensor  # (N, 9, 6), inverse, per pixel of a sum; dtype of sums
    outside: Tensor  # (N, 9, 1) bool, candidates outside the grid
    home: Tensor  # (N * 9,) int64, cell of the candidate
    back: Tensor  # (N * 9,) int64, where this cell is the candidate
    step: Tensor  # (9,) int64, from the number of a cell to the candidate's
    number: Tensor  # (9, 1) 0..8


def dense_slic(lab: Tensor, grid: tuple[int, int], compactness: float,
               num_iterations: int) -> Tensor:
    """Divide images, (B, 3, H, W) L*a*b*, into segments, (B, H, W) int64.

    ``grid`` is the number of rows and columns of centres. Segments need not be
    connected, and some may be empty.
    """
    size = tuple(lab.shape[-2:])
    if use_compiled(lab):
        labels = torch.empty((len(lab), *size), dtype=torch.int64)
        images, result = lab.detach().float().numpy(), labels.numpy()
        rows, columns = (tuple(x.numpy() for x in side)
                         for side in _divide(size, grid, compactness))
        for_each_image(
            lambda i: dense_slic_numba.dense_slic(
                images[i], rows, columns, num_iterations, result[i]),
            len(images))
        return labels
    cells = _make_cells(size, grid, compactness, lab.device)
    pixels = _gather_pixels(lab.detach(), cells)
    with torch.autocast(lab.device.type, enabled=False):
        sums = sum(some.sum(-1).to(cells.change.dtype)
                   for some in pixels.split(_PIXELS_PER_SUM, dim=2))
        centres = _means(sums.to(pixels.dtype), 0.)
        for _ in range(num_iterations - 1):
            sums = _add_up(pixels, centres, cells)
            centres = _means(sums.to(pixels.dtype), centres)
        labels = _assign(pixels, centres, cells)
    return _scatter_pixels(labels, cells)


@lru_cache(maxsize=16)
def _divide(size: tuple[int, int], grid: tuple[int, int],
            compactness: float) -> tuple[_Side, _Side]:
    """Divide the height and the width of images into cells."""
    scale = compactness / max(
        length / number for length, number in zip(size, grid))
    sides = []
    for length, number in zip(size, grid):
        starts = cell_starts(length, number)
        middle, position = (
            (scale * place * _STEPS).round_()
            for place in ((starts[:-1] + starts[1:]) / 2,
                          torch.arange(length) + 0.5))
        position -= middle[cell_of_pixel(length, number)]
        sides.append(_Side(starts, middle, position))
    return tuple(sides)


@lru_cache(maxsize=16)
def _make_cells(size: tuple[int, int], grid: tuple[int, int],
                compactness: float, device: torch.device) -> _Cells:
    """Cells of images of this size."""
    side_y, side_x = _divide(size, grid, compactness)
    rows, columns = grid
    pixel_row, valid_y, back_y = _block_side(side_y)
    pixel_column, valid_x, back_x = _block_side(side_x)
    block = (rows, columns, valid_y.size(1), valid_x.size(1))
    valid = valid_y[:, None, :, None] & valid_x[None, :, None]
    y = side_y.position[pixel_row].view_as(valid_y)[:, None, :, None]
    x = side_x.position[pixel_column].view_as(valid_x)[None, :, None]
    rest = torch.stack(
        (y.expand(block), x.expand(block), torch.ones(block)), dim=2) * valid[
            :, :, None]

    cell, number = torch.arange(rows * columns)[:, None], torch.arange(9)
    down, right = number // 3 - 1, number % 3 - 1
    beside_y, beside_x = cell // columns + down, cell % columns + right
    inside = ((beside_y >= 0) & (beside_y < rows) & (beside_x >= 0) &
              (beside_x < columns))
    beside_y = beside_y.clamp(0, rows - 1)
    beside_x = beside_x.clamp(0, columns - 1)
    home = beside_y * columns + beside_x
    offset = F.pad(torch.stack(
        (side_y.middle[beside_y] - side_y.middle[cell // columns],
         side_x.middle[beside_x] - side_x.middle[cell % columns]), dim=-1),
                   (3, 0))
    # Candidates outside the grid have no pixels: any cell will do.
    back = torch.where(inside, home * 9 + 8 - number, cell * 9 + number)
    few = valid[0, 0].numel() <= _PIXELS_PER_FLOAT
    sum_type = torch.float32 if few else torch.int64
    tensors = (pixel_row, pixel_column, back_y, back_x,
               rest.reshape(len(home), 3, -1), offset,
               F.pad(-offset, (0, 1)).to(sum_type), ~inside[..., None],
               home.flatten(), back.flatten(), down * columns + right,
               number[:, None].float())
    return _Cells(rows, columns, *(t.to(device) for t in tensors))


def _block_side(side: _Side) -> tuple[Tensor, Tensor, Tensor]:
    """Pad the cells of a side to one length by repeating their last pixel."""
    starts = side.starts
    longest, num_cells = int(starts.diff().max()), len(starts) - 1
    pixel = starts[:-1, None] + torch.arange(longest)
    valid = pixel < starts[1:, None]
    pixel = pixel.minimum(starts[1:, None] - 1)
    cell = cell_of_pixel(int(starts[-1]), num_cells)
    back = torch.arange(len(cell)) - starts[cell] + cell * longest
    return pixel.flatten(), valid, back


def _gather_pixels(lab: Tensor, cells: _Cells) -> Tensor:
    """Features and a row of ones for each cell, (B * N, 6, P); 0 = padding."""
    even = lab.shape[-2:] == (len(cells.pixel_row), len(cells.pixel_column))
    if not even:
        lab = lab[:, :, cells.pixel_row][..., cells.pixel_column]
    blocks = lab.unflatten(3, (cells.columns, -1)).unflatten(
        2, (cells.rows, -1)).permute(0, 2, 4, 1, 3, 5)
    num_cells, _, size = cells.rest.shape
    pixels = lab.new_empty((lab.size(0), num_cells, 6, size))
    colour = pixels[:, :, :3]
    colour.view(blocks.shape).copy_(blocks)
    colour.mul_(_STEPS).round_()
    if not even:
        colour *= cells.rest[:, 2:]
    pixels[:, :, 3:] = cells.rest
    return pixels.flatten(0, 1)


def _scatter_pixels(labels: Tensor, cells: _Cells) -> Tensor:
    """Bring labels of cells, (B * N, P), into the order of the image."""
    height = len(cells.pixel_row) // cells.rows
    blocks = labels.view(-1, cells.rows, cells.columns, height,
                         labels.size(1) // height)
    rows = blocks.permute(0, 1, 3, 2, 4).flatten(3, 4).flatten(1, 2)
    if rows.shape[1:] == (len(cells.cell_row), len(cells.cell_column)):
        return rows
    return rows[:, cells.cell_row][:, :, cells.cell_column]


def _means(sums: Tensor, default: Tensor) -> Tensor:
    """Centres from sums (..., 6); those without pixels stay in place."""
    total, count = sums.split((5, 1), dim=-1)
    return torch.where(count > 0, (total / count).round_(), default)


def _add_up(pixels: Tensor, centres: Tensor, cells: _Cells) -> Tensor:
    """Sums over the pixels nearest to each centre, (B * N, 6)."""
    sums = torch.zeros((len(pixels), 9, 6), dtype=cells.change.dtype,
                       device=pixels.device)
    for tile, some, scores in _compare(pixels, centres, cells):
        choice = _first_largest(scores)[:, None].to(scores.dtype)
        # Directly as floats: via bool takes ten times as long.
        torch.eq(choice, cells.number, out=scores)
        sums[tile[0]].add_((scores @ some.transpose(1, 2)).to(sums.dtype))
    sums = sums.view(-1, len(cells.offset), 9, 6)
    # Relative to the middle of the candidate's cell rather than this one's.
    sums = torch.addcmul(sums, sums[..., 5:], cells.change)
    sums = sums.flatten(1, 2).index_select(1, cells.back)
    return sums.view(-1, 9, 6).sum(1)


def _assign(pixels: Tensor, centres: Tensor, cells: _Cells) -> Tensor:
    """Nearest centre of each pixel, (B * N, P)."""
    labels = torch.empty((len(pixels), pixels.size(2)), dtype=torch.int64,
                         device=pixels.device)
    for tile, _, scores in _compare(pixels, centres, cells):
        choice = _first_largest(scores)
        labels[tile] = cells.step.index_select(
            0, choice.flatten()).view_as(choice)
    cell = torch.arange(len(cells.offset), device=pixels.device)[:, None]
    return labels.view(-1, len(cell), labels.size(1)).add_(cell).flatten(0, 1)


def _compare(
    pixels: Tensor, centres: Tensor, cells: _Cells
) -> Iterator[tuple[tuple[slice, slice], Tensor, Tensor]]:
    """Compare pixels with their nine candidates, tile by tile.

    Yields slices, pixels (n, 6, p) and scores (n, 9, p), half the pixel's
    square minus half the squared distance; valid until the next tile.
    """
    num_cells = len(cells.offset)
    around = centres.view(-1, num_cells, 5).index_select(1, cells.home)
    around = around.view(-1, num_cells, 9, 5).add_(cells.offset)
    # Not as another row of the product: TF32 cannot represent squares.
    squares = around.square().sum(-1, keepdim=True).mul_(-0.5)
    squares.masked_fill_(cells.outside, _NEVER)
    around, squares = around.flatten(0, 1), squares.flatten(0, 1)

    width = min(pixels.size(2), _PIXELS_PER_SUM)
    height = len(pixels)
    if pixels.device.type == 'cpu':
        height = min(height, max(_SCORES_PER_TILE // (9 * width), 1))
    scores = pixels.new_empty(height * 9 * width)
    for top in range(0, len(pixels), height):
        for left in range(0, pixels.size(2), width):
            tile = slice(top, top + height), slice(left, left + width)
            some = pixels[tile[0], :, tile[1]]
            shape = (len(some), 9, some.size(2))
            yield tile, some, torch.baddbmm(
                squares[tile[0]], around[tile[0]], some[:, :5],
                out=scores[:shape[0] * 9 * shape[2]].view(shape))


def _first_largest(scores: Tensor) -> Tensor:
    """Index (n, p) of the best candidate, the first one in case of ties."""
    if scores.device.type != 'cpu':
        return scores.argmax(dim=1)
    # Pooling is vectorised over pixels; argmax is 100 times slower.
    image = scores[:, :, None].permute(0, 3, 1, 2)
    _, index = F.max_pool2d(image, (9, 1), return_indices=True)
    return index.view(len(scores), scores.size(2))
