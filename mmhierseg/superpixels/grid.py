"""Rectangular segments, like the patches of a vision transformer.

The grid is also the start of :mod:`mmhierseg.superpixels.dense_slic`.
"""

from functools import lru_cache

import torch
from torch import Tensor

from mmhierseg.registry import SUPERPIXELS

from .base import BaseSuperpixels


def grid_shape(height: int, width: int, num_cells: int) -> tuple[int, int]:
    """Rows (at most H) and columns (at most W) of roughly square cells."""
    # While a model is traced, sizes are tensors.
    height, width, num_cells = int(height), int(width), int(num_cells)
    side = (height * width / num_cells)**0.5
    # A strip thinner than `side` has room for `num_cells` rows only.
    rows = min(max(round(height / side), 1), height, num_cells)
    columns = min(max(round(num_cells / rows), 1), width)
    return rows, columns


def cell_starts(length: int, num_cells: int) -> Tensor:
    """First pixel of each cell of a side, and its length, (num_cells + 1,)."""
    return torch.arange(num_cells + 1) * length // num_cells


def cell_of_pixel(length: int, num_cells: int) -> Tensor:
    """Cell of each pixel along a side of the image, (length,) int64."""
    return torch.arange(num_cells).repeat_interleave(
        cell_starts(length, num_cells).diff())


@lru_cache(maxsize=16)
def cell_map(height: int, width: int, rows: int, columns: int,
             device: torch.device) -> Tensor:
    """Cell of each pixel of an image, (H, W) int64; not to be changed."""
    row = cell_of_pixel(height, rows)[:, None]
    return (row * columns + cell_of_pixel(width, columns)).to(device)


@SUPERPIXELS.register_module()
class Grid(BaseSuperpixels):
    """Roughly square rectangles that ignore the content of the image.

    See :class:`BaseSuperpixels` for the arguments.

    Example:
        >>> Grid(segment_size=2)(torch.zeros(1, 3, 4, 4))[0]
        tensor([[0, 0, 1, 1],
                [0, 0, 1, 1],
                [2, 2, 3, 3],
                [2, 2, 3, 3]])
    """

    def _segment(self, images: Tensor, num_segments: int) -> Tensor:
        batch_size, _, height, width = images.shape
        grid = grid_shape(height, width, num_segments)
        labels = cell_map(height, width, *grid, images.device)
        return labels.repeat(batch_size, 1, 1)
