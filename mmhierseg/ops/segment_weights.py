"""The linear map from the cells of a grid to means over segments of pixels.

The mean over a segment of a map that was interpolated from a grid is a sum of
the grid's cells with fixed weights. All pixels between the same cell centres,
a *block*, use the same cells. So the weights are kept for each pair of a
segment and a block that it has pixels in, 4 (bilinear) or 16 (bicubic) of
them: a superpixel has pixels in about ten blocks, whatever the size of the
image, where the written-out matrix has a column for each cell.

How many pairs there are is known on the host only after a look at the labels.
Where that would have to be waited for, or when being traced, the matrix is
written out, in strips if it is large, which are made again for the gradient.

Legend: B images, N segments, C channels, h x w grid cells, H x W pixels, P
pairs, T taps (cells that a pixel is interpolated from). Labels are int64,
-1 = none.
"""

from typing import List, NamedTuple, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .checks import check_labels
from .interpolation import interpolation_taps

# Numbers in one strip of the matrix: 64 MiB of float32.
_STRIP_NUMEL = 1 << 24


def segment_sizes(labels: Tensor, num_segments: int) -> Tensor:
    """Number of pixels of each segment.

    Args:
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N, at least 1.

    Returns:
        Tensor: (B, N) int64.

    Raises:
        TypeError, ValueError: As in :func:`segment_matrix`.

    Example:
        >>> segment_sizes(torch.tensor([[[0, 0, -1, 2]]]), 3)
        tensor([[2, 0, 1]])
    """
    check_labels(labels, num_segments)
    # The extra column takes the pixels without a segment.
    column = torch.where(labels < 0, num_segments, labels).flatten(1)
    count = labels.new_zeros(labels.size(0), num_segments + 1)
    count.scatter_add_(1, column, torch.ones_like(column))
    return count[:, :num_segments]


def segment_matrix(
        labels: Tensor,
        num_segments: int,
        grid_size: Tuple[int, int],
        mode: str = 'bilinear',
        dtype: torch.dtype = torch.float32) -> Tuple[Tensor, Tensor]:
    """The linear map from grid cells to means over segments, written out.

    Args:
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N, at least 1.
        grid_size (Tuple[int, int]): (h, w) of the features.
        mode (str): 'bilinear' or 'bicubic'; see :func:`segment_mean`.
        dtype (torch.dtype): Of the matrix. Defaults to float32.

    Returns:
        Tuple[Tensor, Tensor]: The matrix, (B, N, h w): rows sum to 1 (to 0
        for an empty segment), and are non-negative for 'bilinear'; and
        (B, N) bool, True where a segment has no pixel.

    Raises:
        TypeError: If ``labels`` is not int64.
        ValueError: If ``labels`` is not (B, H, W), N is below 1, or a label
            is N or above (looked at on the CPU only).
    """
    count = segment_sizes(labels, num_segments)
    matrix = _strip(labels, count, grid_size, mode, dtype,
                    range(grid_size[0]))
    return matrix, count == 0


def mean_by_matrix(features: Tensor, labels: Tensor, count: Tensor,
                   mode: str) -> Tensor:
    """Means over segments by the matrix; nothing is read by the host.

    Args:
        features (Tensor): (B, C, h, w) or (1, C, h, w), float32 or float64.
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        count (Tensor): (B, N) int64, pixels of each segment.
        mode (str): 'bilinear' or 'bicubic'.

    Returns:
        Tensor: (B, N, C).
    """
    height, width = features.shape[2:]
    cells = features.flatten(2).transpose(1, 2)
    step = max(1, _STRIP_NUMEL // (count.numel() * width))
    if step >= height:
        matrix = _strip(labels, count, (height, width), mode, cells.dtype,
                        range(height))
        return matrix @ cells
    return _MeanByStrips.apply(cells, labels, count, (height, width), mode,
                               step)


def interpolated_mean(features: Tensor, labels: Tensor, count: Tensor,
                      mode: str) -> Tensor:
    """Means over segments by pairs of segments and blocks.

    Args:
        features (Tensor): (B, C, h, w) or (1, C, h, w), float32 or float64.
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        count (Tensor): (B, N) int64, pixels of each segment.
        mode (str): 'bilinear' or 'bicubic'.

    Returns:
        Tensor: (B, N, C).
    """
    batch, num_segments = count.shape
    height, width = features.shape[2:]
    axes = [
        _axis(size, labels.size(1 + i), mode, features.dtype)
        for i, size in enumerate((height, width))
    ]
    rows, columns = axes
    # The segments of all images in one row; pixels without one at its end.
    num_bags = batch * num_segments
    bag = labels + num_segments * torch.arange(batch)[:, None, None]
    bag = torch.where(labels < 0, num_bags, bag)
    num_blocks = len(rows.cells) * len(columns.cells)
    block = rows.block[:, None] * len(columns.cells) + columns.block
    pairs, pair = (bag * num_blocks + block).flatten().unique(
        return_inverse=True)
    bag, block = pairs // num_blocks, pairs % num_blocks
    weight = _pair_weights(axes, pair, len(pairs), batch)
    share = F.pad(count.flatten(), (0, 1)).clamp(min=1).reciprocal()
    weight = weight * share.to(weight.dtype)[bag, None]
    cell = (rows.cells[block // len(columns.cells), :, None] * width +
            columns.cells[block % len(columns.cells), None]).flatten(1)
    if features.size(0) > 1:
        cell = cell + (bag // num_segments).clamp(
            max=batch - 1)[:, None] * (height * width)
    first = torch.searchsorted(bag, torch.arange(num_bags + 1))
    means = F.embedding_bag(
        cell.flatten(),
        # Rows that are not contiguous are added many times slower.
        features.permute(0, 2, 3, 1).flatten(0, 2).contiguous(),
        first * cell.size(1),
        mode='sum',
        per_sample_weights=weight.flatten())
    return means[:-1].view(batch, num_segments, -1)


class _Axis(NamedTuple):
    """Interpolation along one axis; a block is what shares its cells."""

    block: Tensor
    """(size in pixels,) int64: block of each position."""

    cells: Tensor
    """(blocks, taps) int64."""

    weight: Tensor
    """(size in pixels, taps)."""


def _axis(in_size: int, out_size: int, mode: str,
          dtype: torch.dtype) -> _Axis:
    cells, weight = interpolation_taps(
        in_size, out_size, mode, dtype=dtype)
    # Positions with the same cells are neighbours.
    new = (cells[1:] != cells[:-1]).any(dim=1)
    block = F.pad(new.cumsum(0), (1, 0))
    cells = cells[F.pad(new, (1, 0), value=True)]
    return _Axis(block, cells, weight)


def _pair_weights(axes: List[_Axis], pair: Tensor, number: int,
                  batch: int) -> Tensor:
    """(P, T) sums over the pixels of each pair."""
    rows, columns = axes
    weights = []
    for row in rows.weight.unbind(1):
        for column in columns.weight.unbind(1):
            weight = (row[:, None] * column).flatten().repeat(batch)
            weights.append(weight.new_zeros(number).index_add_(
                0, pair, weight))
    return torch.stack(weights, dim=1)


def _strip(labels: Tensor, count: Tensor, grid_size: Tuple[int, int],
           mode: str, dtype: torch.dtype, strip: range) -> Tensor:
    """(B, N, cells of some rows of the grid): columns of the matrix."""
    height, width = grid_size
    num_rows = len(strip)
    batch, num_segments = count.shape
    device = labels.device
    rows, row_weight = interpolation_taps(height, labels.size(1), mode,
                                          device, dtype)
    columns, column_weight = interpolation_taps(width, labels.size(2), mode,
                                                device, dtype)
    if num_rows < height:
        # Pixels further away than the widest kernel have no part in it.
        scale = labels.size(1) / height
        near = slice(max(int((strip.start - 3) * scale), 0),
                     int((strip.stop + 3) * scale) + 1)
        labels, rows, row_weight = labels[:, near], rows[near], \
            row_weight[near]
        inside = (rows >= strip.start) & (rows < strip.stop)
        row_weight = row_weight * inside
        rows = (rows - strip.start).clamp(0, num_rows - 1)
    segment = labels.clamp(min=0) + num_segments * torch.arange(
        batch, device=device)[:, None, None]
    share = count.to(dtype).clamp(min=1).reciprocal().flatten()[segment]
    share = share * (labels >= 0)
    first = segment * (num_rows * width)
    matrix = share.new_zeros(batch * num_segments * num_rows * width)
    # At most 4 x 4 taps, each over all pixels of the batch at once.
    for i in range(rows.size(1)):
        row_share = share * row_weight[:, i, None]
        row_first = first + rows[:, i, None] * width
        for j in range(columns.size(1)):
            matrix.scatter_add_(0, (row_first + columns[:, j]).flatten(),
                                (row_share * column_weight[:, j]).flatten())
    return matrix.view(batch, num_segments, -1)


class _MeanByStrips(torch.autograd.Function):
    """Product with the matrix, of which there is one strip at a time."""

    @staticmethod
    def forward(ctx, cells: Tensor, labels: Tensor, count: Tensor,
                grid_size: Tuple[int, int], mode: str, step: int) -> Tensor:
        ctx.save_for_backward(labels, count)
        ctx.settings = grid_size, mode, step, cells.shape
        means = cells.new_zeros(*count.shape, cells.size(2))
        for strip, inside in _strips(grid_size, step):
            matrix = _strip(labels, count, grid_size, mode, cells.dtype,
                            strip)
            means += matrix @ cells[:, inside]
        return means

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> Tuple[Tensor, None, None, None, None,
                                             None]:
        labels, count = ctx.saved_tensors
        grid_size, mode, step, shape = ctx.settings
        grads = []
        for strip, _ in _strips(grid_size, step):
            matrix = _strip(labels, count, grid_size, mode, grad.dtype, strip)
            part = matrix.transpose(1, 2) @ grad
            grads.append(part.sum(0, keepdim=True) if shape[0] == 1 else part)
        return torch.cat(grads, dim=1), None, None, None, None, None


def _strips(grid_size: Tuple[int, int],
            step: int) -> List[Tuple[range, slice]]:
    """Rows of the grid by strips, and their cells."""
    height, width = grid_size
    strips = []
    for start in range(0, height, step):
        stop = min(start + step, height)
        strips.append((range(start, stop), slice(start * width,
                                                 stop * width)))
    return strips
