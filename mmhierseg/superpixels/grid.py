"""Rectangular segments: the patches of a vision transformer, any image size.

Also the starting point of :mod:`mmhierseg.superpixels.dense_slic`.
"""

from typing import Tuple

import torch
from torch import Tensor

from mmhierseg.registry import SUPERPIXELS

from .base import BaseSuperpixels


def grid_shape(height: int, width: int, num_cells: int) -> Tuple[int, int]:
    """Rows and columns of a grid of about square cells.

    Args:
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.
        num_cells (int): Number of cells wanted, from 1 to
            ``height * width``.

    Returns:
        Tuple[int, int]: Rows, at most ``height``, and columns, at most
        ``width``; their product is as near to ``num_cells`` as cells of
        about equal sides allow.

    Example:
        >>> grid_shape(224, 224, 196), grid_shape(1000, 3, 11)
        ((14, 14), (11, 1))
    """
    side = (height * width / num_cells)**0.5
    # A strip thinner than `side` has room for `num_cells` rows only.
    rows = min(max(round(height / side), 1), height, num_cells)
    columns = min(max(round(num_cells / rows), 1), width)
    return rows, columns


def cell_starts(length: int, num_cells: int) -> Tensor:
    """First pixel of each of the cells that divide a side, and its end.

    Args:
        length (int): Length of the side in pixels.
        num_cells (int): Number of cells, from 1 to ``length``.

    Returns:
        Tensor: (num_cells + 1,) int64 from 0 to ``length``; the lengths of
        cells, its differences, are at least 1 and differ by 1 at most.

    Example:
        >>> cell_starts(10, 4)
        tensor([ 0,  2,  5,  7, 10])
    """
    return torch.arange(num_cells + 1) * length // num_cells


def cell_of_pixel(length: int, num_cells: int) -> Tensor:
    """Cell that each pixel of a side belongs to.

    Args:
        length (int): Length of the side in pixels.
        num_cells (int): Number of cells, from 1 to ``length``.

    Returns:
        Tensor: (length,) int64 from 0 to ``num_cells - 1``.

    Example:
        >>> cell_of_pixel(10, 4)
        tensor([0, 0, 1, 1, 1, 2, 2, 3, 3, 3])
    """
    return torch.arange(num_cells).repeat_interleave(
        cell_starts(length, num_cells).diff())


@SUPERPIXELS.register_module()
class Grid(BaseSuperpixels):
    """Rectangles of about equal sides, whatever the image shows.

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
        rows, columns = grid_shape(height, width, num_segments)
        labels = (
            cell_of_pixel(height, rows)[:, None] * columns +
            cell_of_pixel(width, columns))
        return labels.to(images.device).expand(batch_size, -1, -1)
