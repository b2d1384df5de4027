"""Feature maps from segment tokens: the way back from segments to a grid.

A cell of the map is the mean over its pixels of their segments' tokens. That
is a product of area fractions with the tokens; summing the tokens of each
cell's pixels in one pass gives it without the (cells x N) matrix of fractions,
and without a map at pixel resolution.

Legend: B images, N segments, C channels, H x W pixels, H' x W' cells of
stride x stride pixels, H' = ceil(H / stride). Labels are int64, -1 = none.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_labels, check_tokens


def tokens_to_map(tokens: Tensor, labels: Tensor, stride: int) -> Tensor:
    """Mean of the tokens of the segments in each cell.

    Args:
        tokens (Tensor): (B, N, C) float. Half precision is summed in float32.
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        stride (int): Side of a cell in pixels, at least 1.

    Returns:
        Tensor: (B, C, H', W') of the dtype of ``tokens``. Pixels without a
        segment count as zero; cells that the border cuts are means over
        their pixels inside the image.

    Raises:
        TypeError: If ``labels`` is not int64.
        ValueError: If ``stride`` is below 1, the shapes do not fit each
            other, or a label is N or above (looked at on the CPU only).

    Example:
        >>> tokens = torch.tensor([[[1.], [5.]]])
        >>> labels = torch.tensor([[[0, 0, 1], [0, 1, -1]]])
        >>> tokens_to_map(tokens, labels, stride=2)
        tensor([[[[2.0000, 2.5000]]]])
    """
    if stride < 1:
        raise ValueError(f'`stride` must be at least 1, got {stride}')
    check_tokens('tokens', tokens, None)
    check_labels(labels, tokens.size(1))
    if tokens.size(0) != labels.size(0):
        raise ValueError(
            f'`tokens` must have shape (B, N, C) with B = {labels.size(0)}, '
            f'got {tuple(tokens.shape)}')
    # A zero row at the end takes the pixels without a segment.
    rows = F.pad(tokens, (0, 0, 0, 1))
    index = torch.where(labels < 0, tokens.size(1), labels)
    if stride == 1:
        return _gather(rows, index)
    return _mean_of_cells(rows, index, stride)


def _gather(rows: Tensor, index: Tensor) -> Tensor:
    """(B, C, H, W): the row of each pixel."""
    flat = index.flatten(1)[:, None].expand(-1, rows.size(2), -1)
    return rows.transpose(1, 2).gather(2, flat).unflatten(2, index.shape[1:])


def _mean_of_cells(rows: Tensor, index: Tensor, stride: int) -> Tensor:
    """(B, C, H', W'): the mean row of the pixels of each cell."""
    batch, height, width = index.shape
    none = rows.size(1) - 1
    padded = F.pad(
        index, (0, -width % stride, 0, -height % stride), value=none)
    # Rows of all images in one table.
    first = rows.size(1) * torch.arange(batch, device=index.device)
    cells = (padded + first[:, None, None]).unflatten(
        2, (-1, stride)).unflatten(1, (-1, stride)).transpose(2, 3)
    shape = cells.shape[:3]
    dtype = torch.promote_types(rows.dtype, torch.float32)
    with torch.autocast(rows.device.type, enabled=False):
        sums = F.embedding_bag(
            cells.reshape(-1, stride * stride),
            rows.to(dtype).flatten(0, 1),
            mode='sum')
        area = _cell_sides(height, stride, index.device)[:, None] * \
            _cell_sides(width, stride, index.device)
        means = sums.view(*shape, -1) / area[..., None]
    return means.permute(0, 3, 1, 2).to(rows.dtype)


def _cell_sides(size: int, stride: int, device: torch.device) -> Tensor:
    """Pixels in each cell along one axis; the last one may be cut."""
    starts = torch.arange(0, size, stride, device=device)
    return (size - starts).clamp(max=stride)
