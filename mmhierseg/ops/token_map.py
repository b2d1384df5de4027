"""Feature maps from segment tokens: the way back from segments to a grid.

A cell of the map is the mean over its pixels of their segments' tokens, so it
is a product of area fractions with the tokens.

Legend: B images, N segments, C channels, H x W pixels, H' x W' cells of
stride x stride pixels, H' = ceil(H / stride). Labels are int64, -1 = none.
"""

import torch
from torch import Tensor


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
        ValueError: If ``stride`` is below 1 or the batches differ.

    Example:
        >>> tokens = torch.tensor([[[1.], [5.]]])
        >>> labels = torch.tensor([[[0, 0, 1], [0, 1, -1]]])
        >>> tokens_to_map(tokens, labels, stride=2)
        tensor([[[[2.0000, 2.5000]]]])
    """
    if stride < 1:
        raise ValueError(f'`stride` must be at least 1, got {stride}')
    if tokens.dim() != 3 or tokens.size(0) != labels.size(0):
        raise ValueError(
            f'`tokens` must have shape (B, N, C) with B = {labels.size(0)}, '
            f'got {tuple(tokens.shape)}')
    if stride == 1:
        return _gather_tokens(tokens, labels)
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    height = -(-labels.size(1) // stride)
    width = -(-labels.size(2) // stride)
    fractions = area_fractions(labels, tokens.size(1), stride, dtype)
    with torch.autocast(tokens.device.type, enabled=False):
        cells = tokens.to(dtype).transpose(1, 2) @ fractions
    return cells.view(*cells.shape[:2], height, width).to(tokens.dtype)


def area_fractions(labels: Tensor,
                   num_segments: int,
                   stride: int,
                   dtype: torch.dtype = torch.float32) -> Tensor:
    """Share of each cell's pixels that belong to each segment.

    Args:
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N.
        stride (int): Side of a cell in pixels.
        dtype (torch.dtype): Of the result. Defaults to float32.

    Returns:
        Tensor: (B, N, H' W') in [0, 1]; columns sum to 1, or less where
        pixels have no segment.
    """
    batch, full_height, full_width = labels.shape
    device = labels.device
    row = torch.arange(full_height, device=device) // stride
    column = torch.arange(full_width, device=device) // stride
    height, width = -(-full_height // stride), -(-full_width // stride)
    area = _cell_sides(full_height, stride, device)[:, None] * _cell_sides(
        full_width, stride, device)
    cell = (row[:, None] * width + column).expand_as(labels)
    share = (1 / area.to(dtype)).flatten()[cell] * (labels >= 0)
    segment = labels.clamp(min=0) + num_segments * torch.arange(
        batch, device=device)[:, None, None]
    fractions = share.new_zeros(batch * num_segments * height * width)
    index = segment * (height * width) + cell
    fractions.scatter_add_(0, index.flatten(), share.flatten())
    return fractions.view(batch, num_segments, -1)


def _cell_sides(size: int, stride: int, device: torch.device) -> Tensor:
    """Pixels in each cell along one axis; the last one may be cut."""
    starts = torch.arange(0, size, stride, device=device)
    return (size - starts).clamp(max=stride)


def _gather_tokens(tokens: Tensor, labels: Tensor) -> Tensor:
    """Write each segment's token to its pixels; zero where there is none."""
    # A zero row at the end takes the pixels without a segment.
    rows = torch.nn.functional.pad(tokens, (0, 0, 0, 1)).transpose(1, 2)
    index = torch.where(labels < 0, tokens.size(1), labels).flatten(1)
    flat = rows.gather(2, index[:, None].expand(-1, tokens.size(2), -1))
    return flat.view(*flat.shape[:2], *labels.shape[1:])
