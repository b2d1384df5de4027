r"""SLIC as dense products over a grid of cells, for a batch of images.

Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel
Methods", TPAMI 2012. A pixel p with colour l (L*a*b*) and position x joins
the centre c with the least

.. math:: D^2 = \|l_p - l_c\|^2 + (m / S)^2 \|x_p - x_c\|^2

where m is the compactness and S the side of a cell. Two differences from the
paper: a centre is compared with the pixels of its own cell of the starting
grid and of the eight cells around it (the paper: with those of a window of
2S x 2S that moves with the centre), and it starts from the mean of its cell.

The pixels of a cell thus share nine candidates, and one product of
(9 x 5) by (5 x P) gives their distances, another the sums over the pixels
that joined each candidate.

All arithmetic is exact for cells of up to 144 x 144 pixels. Colours, scaled
positions and centres are rounded to multiples of 1/8, so that every product
and sum below is a multiple of 1/64 under 2^18, which float32 holds (and the
factors have at most 11 bits, which even TF32 holds). Segments therefore do
not depend on the device, the number of threads, the order of summation or the
rest of the batch; 1/8 is far less than the eye can tell apart (about 2 in
L*a*b*). The sums of larger cells may round.

Legend: B images, R x C cells of at most h x w pixels each, N = R * C,
P = h * w, 9 candidates, 5 features (L, a, b, y, x).
"""

from typing import NamedTuple, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .grid import cell_of_pixel, cell_starts

#: Features and centres are multiples of 1 / _STEPS.
_STEPS = 8
#: Above this compactness the arithmetic would no longer be exact; the result
#: is a grid long before.
MAX_COMPACTNESS = 100
#: Added to the distance of candidates outside the grid. Beyond any distance,
#: and small enough for the integer keys of :func:`_assign`.
_FAR = 2.**20


class _Cells(NamedTuple):
    """The cells of an image: which pixels they have, which neighbours."""

    rows: int
    columns: int
    pixel_row: Tensor  # (R * h,) row in the image of each row of the cells
    pixel_column: Tensor  # (C * w,)
    cell_row: Tensor  # (H,) the way back: row in the cells of image rows
    cell_column: Tensor  # (W,)
    position: Tensor  # (N, 2, P) scaled, relative to the cell's middle
    valid: Tensor  # (N, 1, P) 1, or 0 where the cell has no such pixel
    offset: Tensor  # (N, 9, 5) from the cell's middle to the candidate's
    penalty: Tensor  # (N, 9, 1) 0, or _FAR outside the grid
    home: Tensor  # (N, 9) int64, the candidate's cell


def dense_slic(lab: Tensor, grid: Tuple[int, int], compactness: float,
               num_iterations: int) -> Tensor:
    """Divide images into segments that need not be connected.

    Args:
        lab (Tensor): (B, 3, H, W) float32, L*a*b*.
        grid (Tuple[int, int]): Rows, at most H, and columns, at most W, of
            the centres.
        compactness (float): m, up to :data:`MAX_COMPACTNESS`.
        num_iterations (int): How often centres are moved to the mean of
            their pixels and pixels assigned anew, at least 1.

    Returns:
        Tensor: (B, H, W) int64 from 0 to R * C - 1; not all need be in use.
    """
    cells = _make_cells(lab, grid, compactness)
    pixels = _gather_pixels(lab, cells)
    with torch.autocast(lab.device.type, enabled=False):
        centres = _means(pixels.sum(-1), pixels.new_zeros(1))
        for _ in range(num_iterations - 1):
            keys, best = _assign(pixels, centres, cells)
            centres = _move(pixels, keys == best, centres, cells)
        _, best = _assign(pixels, centres, cells)
    # The low four bits of a key are the number of the candidate.
    candidate = best.bitwise_and(15).squeeze(2).long()
    labels = cells.home.expand(lab.size(0), -1, -1).gather(2, candidate)
    return _scatter_pixels(labels, cells)


def _round(values: Tensor) -> Tensor:
    return (values * _STEPS).round() / _STEPS


def _make_cells(lab: Tensor, grid: Tuple[int, int],
                compactness: float) -> _Cells:
    """Lay the grid over images of this size."""
    (rows, columns), (height, width) = grid, lab.shape[-2:]
    scale = compactness / max(height / rows, width / columns)
    row_of, valid_y, y, middle_y, back_y = _divide_side(height, rows, scale)
    column_of, valid_x, x, middle_x, back_x = _divide_side(
        width, columns, scale)
    block = (rows, columns, y.size(1), x.size(1))
    position = torch.stack(
        (y[:, None, :, None].expand(block), x[None, :, None].expand(block)),
        dim=2)
    valid = valid_y[:, None, :, None] & valid_x[None, :, None]
    row = torch.arange(rows)[:, None, None, None]
    column = torch.arange(columns)[None, :, None, None]
    step = torch.arange(-1, 2)
    beside_y, beside_x = torch.broadcast_tensors(
        row + step[:, None], column + step)
    inside = ((beside_y >= 0) & (beside_y < rows) & (beside_x >= 0) &
              (beside_x < columns))
    beside_y = beside_y.clamp(0, rows - 1)
    beside_x = beside_x.clamp(0, columns - 1)
    offset = torch.stack((middle_y[beside_y] - middle_y[row],
                          middle_x[beside_x] - middle_x[column]), dim=-1)
    num_cells = rows * columns
    tensors = (row_of, column_of, back_y, back_x,
               position.reshape(num_cells, 2, -1),
               valid.reshape(num_cells, 1, -1).float(),
               F.pad(offset.reshape(num_cells, 9, 2), (3, 0)),
               _FAR * (~inside).reshape(num_cells, 9, 1).float(),
               (beside_y * columns + beside_x).reshape(num_cells, 9))
    return _Cells(rows, columns, *(t.to(lab.device) for t in tensors))


def _divide_side(length: int, num_cells: int,
                 scale: float) -> Tuple[Tensor, ...]:
    """Divide one side of the image.

    Cells may differ by a pixel; shorter ones repeat their last pixel, which
    ``valid`` then leaves out.
    """
    starts = cell_starts(length, num_cells)
    longest = int(starts.diff().max())
    pixel = starts[:-1, None] + torch.arange(longest)
    valid = pixel < starts[1:, None]
    pixel = pixel.minimum(starts[1:, None] - 1)
    middle = _round(scale * (starts[:-1] + starts[1:]) / 2)
    position = _round(scale * (pixel + 0.5)) - middle[:, None]
    cell = cell_of_pixel(length, num_cells)
    back = torch.arange(length) - starts[cell] + cell * longest
    return pixel.flatten(), valid, position, middle, back


def _gather_pixels(lab: Tensor, cells: _Cells) -> Tensor:
    """Features of the pixels of each cell and a row of ones, (B, N, 6, P)."""
    batch_size, grid = lab.size(0), (cells.rows, cells.columns)
    blocks = lab[:, :, cells.pixel_row][..., cells.pixel_column]
    blocks = blocks.unflatten(3, (grid[1], -1)).unflatten(2, (grid[0], -1))
    colour = _round(blocks.permute(0, 2, 4, 1, 3, 5))
    colour = colour.reshape(batch_size, grid[0] * grid[1], 3, -1)
    shape = (batch_size, -1, -1, -1)
    features = torch.cat((colour, cells.position.expand(shape)), dim=2)
    # Zero where the cell has no such pixel, so that sums leave it out.
    return torch.cat((features * cells.valid, cells.valid.expand(shape)),
                     dim=2)


def _scatter_pixels(labels: Tensor, cells: _Cells) -> Tensor:
    """Bring (B, N, P) back into the order of the image, (B, H, W)."""
    longest_y = cells.pixel_row.numel() // cells.rows
    blocks = labels.view(
        labels.size(0), cells.rows, cells.columns, longest_y, -1)
    rows = blocks.permute(0, 1, 3, 2, 4).flatten(3, 4).flatten(1, 2)
    return rows[:, cells.cell_row][:, :, cells.cell_column]


def _means(sums: Tensor, default: Tensor) -> Tensor:
    """Centres from sums (..., 6); without pixels a centre keeps its place."""
    total, count = sums.split((5, 1), dim=-1)
    return torch.where(count > 0, _round(total / count.clamp(min=1)), default)


def _assign(pixels: Tensor, centres: Tensor,
            cells: _Cells) -> Tuple[Tensor, Tensor]:
    """Compare pixels with their nine candidates.

    Args:
        pixels (Tensor): (B, N, 6, P).
        centres (Tensor): (B, N, 5), relative to the middle of their cells.
        cells (_Cells): The grid.

    Returns:
        Tuple[Tensor, Tensor]: (B, N, 9, P) and (B, N, 1, P) int32, a key for
        each candidate and the least of them. No two candidates have the same
        key: it is the squared distance (less the pixel's own square) in steps
        of 1/64, times 16, plus the candidate's number, so the first of
        equally near ones is taken. This avoids argmin, which is slow.
    """
    batch_size, num_cells = pixels.shape[:2]
    grid = centres.view(batch_size, cells.rows, cells.columns, 5)
    around = F.pad(grid, (0, 0, 1, 1, 1, 1)).unfold(1, 3, 1).unfold(2, 3, 1)
    candidates = around.permute(0, 1, 2, 4, 5, 3)
    candidates = candidates.reshape(batch_size, num_cells, 9, 5) + cells.offset
    squares = candidates.square().sum(-1, keepdim=True) + cells.penalty
    distances = squares - 2 * (candidates @ pixels[:, :, :5])
    keys = (distances * (_STEPS**2 * 16)).to(torch.int32)
    keys += torch.arange(9, dtype=torch.int32, device=keys.device)[:, None]
    return keys, keys.amin(dim=2, keepdim=True)


def _move(pixels: Tensor, joined: Tensor, centres: Tensor,
          cells: _Cells) -> Tensor:
    """Move centres to the mean of the pixels that joined them.

    Args:
        pixels (Tensor): (B, N, 6, P).
        joined (Tensor): (B, N, 9, P) bool, one candidate for each pixel.
        centres (Tensor): (B, N, 5).
        cells (_Cells): The grid.

    Returns:
        Tensor: (B, N, 5).
    """
    sums = joined.to(pixels.dtype) @ pixels.transpose(2, 3)
    total, count = sums.split((5, 1), dim=-1)
    # Relative to the middle of the candidate's cell rather than this one's.
    sums = torch.cat((total - count * cells.offset, count), dim=-1)
    sums = sums.view(sums.size(0), cells.rows, cells.columns, 9, 6)
    home = sums.new_zeros(
        sums.size(0), cells.rows + 2, cells.columns + 2, 6)
    for number in range(9):
        down, right = divmod(number, 3)
        home[:, down:down + cells.rows,
             right:right + cells.columns] += sums[:, :, :, number]
    return _means(home[:, 1:-1, 1:-1].flatten(1, 2), centres)
