"""Grouping of segments by k-means on their embeddings.

Legend: B images, N segments, K clusters, D channels, H x W pixels. Labels are
int64, -1 = none.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops import (
    farthest_point_sampling,
    grid_clusters,
    nearest_prototype,
    spherical_kmeans,
    take_tokens,
)

#: Largest number for farthest point sampling: 512 MiB of inner products.
_MOST = 8192


class SegmentKMeans:
    """Spherical k-means over the segments of each image.

    All segments have the same weight.

    Args:
        num_clusters (int | Sequence[int]): Number of clusters K, initialised
            by farthest point sampling, or a grid (K_h, K_w) of initial
            clusters, as in HSG. An image with fewer segments gets fewer.
        num_iterations (int): Iterations. Defaults to 15.
        location (bool): Whether the position of a segment, (y, x) - 0.5 with
            both in [0, 1], is appended to its embedding, as in HSG, so that
            clusters are compact. Defaults to False.

    Raises:
        TypeError: If ``num_clusters`` is neither.
        ValueError: If a number is below 1.
    """

    def __init__(self,
                 num_clusters: int | Sequence[int],
                 num_iterations: int = 15,
                 location: bool = False) -> None:
        sides = ([num_clusters]
                 if isinstance(num_clusters, int) else num_clusters)
        if (not isinstance(sides, Sequence) or isinstance(sides, str)
                or len(sides) > 2
                or not all(isinstance(side, int) for side in sides)):
            raise TypeError('`num_clusters` must be a number, or a grid '
                            f'(K_h, K_w), got {num_clusters!r}')
        if min(sides) < 1 or num_iterations < 1:
            raise ValueError(
                '`num_clusters` and `num_iterations` must be at least 1, got '
                f'{num_clusters} and {num_iterations}')
        self.grid = None if len(sides) == 1 else tuple(sides)
        self.num_clusters = sides[0] if len(sides) == 1 else (
            sides[0] * sides[1])
        self.num_iterations = num_iterations
        self.location = location

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(num_clusters='
                f'{self.grid or self.num_clusters}, num_iterations='
                f'{self.num_iterations}, location={self.location})')

    @torch.no_grad()
    def __call__(self, embeddings: Tensor, labels: Tensor,
                 empty: Tensor) -> Tensor:
        """Group the segments of each image.

        Args:
            embeddings (Tensor): (B, N, D) float, of unit length.
            labels (Tensor): (B, H, W) int64 in [-1, N - 1].
            empty (Tensor): (B, N) bool, segments to leave out: those without
                pixels or without an embedding.

        Returns:
            Tensor: (B, N) int64 in [-1, K - 1], -1 for those left out.

        Raises:
            ValueError: If there are too many segments for farthest point
                sampling.
        """
        features, positions = embeddings, None
        if self.location or self.grid is not None:
            positions = _mean_positions(labels, embeddings.size(1))
        if self.location:
            features = F.normalize(
                torch.cat([features, (positions - 0.5).to(features)], dim=2),
                dim=2)
        if self.grid is not None:
            start = grid_clusters(positions, self.grid)
        else:
            if features.size(1) > _MOST:
                raise ValueError(
                    f'k-means of {features.size(1)} segments an image must '
                    'start from a grid: num_clusters=(K_h, K_w) instead of '
                    f'{self.num_clusters}')
            picks = farthest_point_sampling(features, self.num_clusters,
                                            empty)
            start = nearest_prototype(
                features, take_tokens(features, picks), picks < 0)
        return spherical_kmeans(features, start, self.num_clusters,
                                self.num_iterations, empty)


def _mean_positions(labels: Tensor, num_segments: int) -> Tensor:
    """(B, N, 2) float64 in [0, 1]: mean y and x of the pixels of segments.

    0 is the centre of the first row or column, 1 that of the last. Integer
    sums are exact, so the result does not depend on their order.
    """
    index = torch.where(labels < 0, num_segments, labels).flatten(1)
    height, width = labels.shape[1:]
    rows = torch.arange(height, device=labels.device)[:, None]
    columns = torch.arange(width, device=labels.device)[None]
    sums = []
    for values in (rows, columns, torch.ones_like(rows)):
        values = values.expand(height, width).flatten().expand_as(index)
        table = index.new_zeros(index.size(0), num_segments + 1)
        sums.append(table.scatter_add_(1, index, values)[:, :num_segments])
    count = sums[2].clamp(min=1).double()
    means = [
        total / count / max(size - 1, 1)
        for total, size in zip(sums, (height, width))
    ]
    return torch.stack(means, dim=2)
