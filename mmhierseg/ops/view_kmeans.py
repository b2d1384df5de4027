"""Segments of all views of a batch, by spherical k-means with location.

HSG (Ke et al., CVPR 2022, Sec. 3): the pixels of a view are grouped by
[v ; (y, x) - 0.5], the embedding of a pixel and where it is, starting from a
grid. All views are clustered together, in one batched pass; on a CPU, as many
at once as its caches hold.

Legend: V views, D channels, h x w pixels of the embedding, K = K_h K_w
clusters. Labels are int64, -1 = none.
"""

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .kmeans import spherical_kmeans

#: Pixels of several views that a CPU works on at once: features of 130
#: channels in 2 MiB, which stay in its caches through all iterations.
_CPU_PIXELS = 4096


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
    _check_embeddings(embeddings)
    views, _, height, width = embeddings.shape
    if ignored is None:
        ignored = torch.zeros(
            views, height, width, dtype=torch.bool, device=embeddings.device)
    if ignored.dtype != torch.bool:
        raise TypeError(f'`ignored` must be bool, got {ignored.dtype}')
    if ignored.shape != (views, height, width):
        raise ValueError(
            f'`ignored` must have shape {(views, height, width)}, that of '
            f'the embeddings, got {tuple(ignored.shape)}')
    start = _grid(height, width, grid_size, embeddings.device).flatten()
    step = views
    if embeddings.device.type == 'cpu':
        step = max(_CPU_PIXELS // (height * width), 1)
    labels = torch.cat([
        spherical_kmeans(
            location_features(some), start.expand(len(some), -1),
            grid_size[0] * grid_size[1], num_iterations, out.flatten(1))
        for some, out in zip(embeddings.detach().split(step),
                             ignored.split(step))
    ]).view(views, height, width)
    # NaN is like nothing; the pixels stay, so that losses show it.
    labels = labels.clamp(0, grid_size[0] * grid_size[1] - 1)
    return labels.masked_fill(ignored, -1)


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
    _check_embeddings(embeddings)
    dtype = torch.promote_types(embeddings.dtype, torch.float32)
    views, _, height, width = embeddings.shape
    unit = F.normalize(embeddings.to(dtype).flatten(2), dim=1)
    y, x = (
        torch.linspace(0, 1, side, dtype=dtype, device=unit.device) - 0.5
        for side in (height, width))
    location = torch.stack(
        [y[:, None].expand(-1, width), x.expand(height, -1)]).flatten(1)
    features = torch.cat([unit, location.expand(views, -1, -1)], dim=1)
    return F.normalize(features, dim=1).transpose(1, 2)


def _check_embeddings(embeddings: Tensor) -> None:
    if not embeddings.is_floating_point():
        raise TypeError('`embeddings` must be floating-point, got '
                        f'{embeddings.dtype}')
    if embeddings.dim() != 4 or 0 in embeddings.shape:
        raise ValueError('`embeddings` must have shape (V, D, h, w), none of '
                         f'them 0, got {tuple(embeddings.shape)}')


def _grid(height: int, width: int, grid_size: Tuple[int, int],
          device: torch.device) -> Tensor:
    if len(grid_size) != 2 or min(grid_size) < 1:
        raise ValueError('`grid_size` must be two numbers of at least 1, got '
                         f'{tuple(grid_size)}')
    rows, columns = (
        torch.linspace(0, number - 1, side, device=device).round().long()
        for number, side in zip(grid_size, (height, width)))
    return rows[:, None] * grid_size[1] + columns
