"""Segments of all views of a batch, by spherical k-means with location.

HSG (Ke et al., CVPR 2022, Sec. 3): the pixels of a view are grouped by
[v ; (y, x) - 0.5], the embedding of a pixel and where it is, starting from a
grid. On a GPU all views are clustered in one batched pass, on a CPU a few at a
time.

Legend: V views, D channels, h x w pixels of the embedding, K = K_h K_w
clusters. Labels are int64, -1 = none.
"""

from typing import Optional, Tuple

import torch
from torch import Tensor

from .kmeans import cluster_unit_vectors, image_chunks

#: What lengths are at least taken for, as in ``F.normalize``.
_TINY = 1e-12


def cluster_views(embeddings: Tensor,
                  grid_size: Tuple[int, int],
                  num_iterations: int = 15,
                  ignored: Optional[Tensor] = None) -> Tensor:
    """Group the pixels of each view; no gradient flows through it.

    Args:
        embeddings (Tensor): (V, D, h, w) float, of any length.
        grid_size (Tuple[int, int]): (K_h, K_w), clusters to start from: the
            row of a pixel's is round(linspace(0, K_h - 1, h)), columns
            likewise. A cluster that loses its pixels stays empty.
        num_iterations (int): At least 1. Defaults to 15.
        ignored (Tensor, optional): (V, h, w) bool, pixels that take no part,
            whatever their embeddings are. Defaults to None: all take part.

    Returns:
        Tensor: (V, h, w) int64 in [-1, K - 1], -1 where ignored and nowhere
        else. A view with NaN where it is not ignored has meaningless clusters.

    Raises:
        TypeError: If ``ignored`` is not bool.
        ValueError: If shapes do not fit or a number is below 1.

    Example:
        >>> embeddings = torch.tensor([[[[1., 1., 0.]], [[0., .1, 2.]]]])
        >>> cluster_views(embeddings, (1, 2))
        tensor([[[0, 0, 1]]])
    """
    _check(embeddings, ignored)
    if num_iterations < 1:
        raise ValueError('`num_iterations` must be at least 1, got '
                         f'{num_iterations}')
    views, _, height, width = embeddings.shape
    start = _grid(height, width, grid_size, embeddings.device).flatten()
    labels = start.new_empty(views, height * width)
    for some in image_chunks(embeddings):
        features = location_features(embeddings[some].detach())
        labels[some] = cluster_unit_vectors(
            features, start.expand(len(features), -1),
            grid_size[0] * grid_size[1], num_iterations,
            None if ignored is None else ignored[some].flatten(1))
    return labels.view(views, height, width)


def location_features(embeddings: Tensor) -> Tensor:
    """What k-means compares: [v ; (y, x) - 0.5], of unit length.

    v is of unit length itself, and y and x go from 0 to 1, both included
    (a single row has y = 0), so location has little say.

    Args:
        embeddings (Tensor): (V, D, h, w) float. Half precision is taken to
            float32.

    Returns:
        Tensor: (V, h w, D + 2), pixels numbered in rows.

    Raises:
        TypeError: If ``embeddings`` is no floating-point tensor.
        ValueError: If it has other axes, or one of no length.

    Example:
        >>> location_features(torch.tensor([[[[3.]], [[4.]]]]))
        tensor([[[ 0.4899,  0.6532, -0.4082, -0.4082]]])
    """
    _check(embeddings)
    dtype = torch.promote_types(embeddings.dtype, torch.float32)
    _, _, height, width = embeddings.shape
    embeddings = embeddings.to(dtype).flatten(2)
    device = embeddings.device
    y, x = (
        torch.linspace(0, 1, side, dtype=dtype, device=device) - 0.5
        for side in (height, width))
    location = torch.stack(
        [y[:, None].expand(-1, width), x.expand(height, -1)]).flatten(1)
    # Not by F.normalize: on a CPU its norm over channels, which are far apart
    # in memory, takes ten times as long.
    square = embeddings.square().sum(dim=1, keepdim=True)
    unit = square.clamp(min=_TINY**2).rsqrt()
    # 1 and the location's, but for embeddings of no length.
    square = square * unit.square() + location.square().sum(dim=0)
    shrink = square.clamp(min=_TINY**2).rsqrt()
    return torch.cat([embeddings * (unit * shrink), location * shrink],
                     dim=1).transpose(1, 2)


def _check(embeddings: Tensor, ignored: Optional[Tensor] = None) -> None:
    if not embeddings.is_floating_point():
        raise TypeError('`embeddings` must be floating-point, got '
                        f'{embeddings.dtype}')
    if embeddings.dim() != 4 or 0 in embeddings.shape:
        raise ValueError('`embeddings` must have shape (V, D, h, w), none of '
                         f'them 0, got {tuple(embeddings.shape)}')
    if ignored is None:
        return
    if ignored.dtype != torch.bool:
        raise TypeError(f'`ignored` must be bool, got {ignored.dtype}')
    views, _, height, width = embeddings.shape
    if ignored.shape != (views, height, width):
        raise ValueError(
            f'`ignored` must have shape {(views, height, width)}, that of '
            f'the embeddings, got {tuple(ignored.shape)}')


def _grid(height: int, width: int, grid_size: Tuple[int, int],
          device: torch.device) -> Tensor:
    if len(grid_size) != 2 or min(grid_size) < 1:
        raise ValueError('`grid_size` must be two numbers of at least 1, got '
                         f'{tuple(grid_size)}')
    rows, columns = (
        torch.linspace(0, number - 1, side, device=device).round().long()
        for number, side in zip(grid_size, (height, width)))
    return rows[:, None] * grid_size[1] + columns
