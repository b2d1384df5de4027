"""Fixed and resized 2-D positional encodings.

The sine-cosine encoding is MoCo v3's (Chen et al., ICCV 2021) with the axes as
in CAST: the first half of the channels runs over rows, the second over
columns, each half as sines, then cosines.

Legend: h x w grid cells, C channels; a table is (1, T + h w, C) with T leading
rows of extra tokens.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def sincos_position_encoding(grid_size: tuple[int, int],
                             embed_dims: int,
                             temperature: float = 10000.0) -> Tensor:
    """Sine-cosine encoding of the cells of a grid.

    Args:
        grid_size (tuple[int, int]): (h, w).
        embed_dims (int): C, a multiple of 4.
        temperature (float): Ratio of the longest to the shortest wavelength.

    Returns:
        Tensor: (1, h w, C) float32 in [-1, 1], cells in row-major order.
    """
    if embed_dims % 4:
        raise ValueError(
            f'`embed_dims` must be a multiple of 4, got {embed_dims}')
    height, width = grid_size
    quarter = embed_dims // 4
    omega = temperature**-(torch.arange(quarter).float() / quarter)
    rows, columns = torch.meshgrid(
        torch.arange(height).float(),
        torch.arange(width).float(),
        indexing='ij')
    a = rows.flatten()[:, None] * omega
    b = columns.flatten()[:, None] * omega
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)[None]


def resize_position_encoding(table: Tensor,
                             source_size: tuple[int, int],
                             target_size: tuple[int, int],
                             num_extra_tokens: int = 1) -> Tensor:
    """Bicubic resizing of a table, its extra rows kept.

    Args:
        table (Tensor): (1, T + h w, C) float.
        source_size (tuple[int, int]): (h, w) of ``table``.
        target_size (tuple[int, int]): (h', w').
        num_extra_tokens (int): T, by default the class token.

    Returns:
        Tensor: (1, T + h' w', C); ``table`` itself where the sizes agree.
    """
    expected = num_extra_tokens + source_size[0] * source_size[1]
    if table.dim() != 3 or table.size(1) != expected:
        raise ValueError(
            f'`table` must have shape (1, {expected}, C) for a grid of '
            f'{tuple(source_size)}, got {tuple(table.shape)}')
    if tuple(source_size) == tuple(target_size):
        return table
    extra, cells = table[:, :num_extra_tokens], table[:, num_extra_tokens:]
    cells = cells.transpose(1, 2).unflatten(2, tuple(source_size))
    cells = F.interpolate(
        cells, size=tuple(target_size), mode='bicubic', align_corners=False)
    return torch.cat([extra, cells.flatten(2).transpose(1, 2)], dim=1)
