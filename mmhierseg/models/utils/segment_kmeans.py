"""Grouping of segments by k-means on their embeddings.

Legend: B images, N segments, K clusters, D channels, H x W pixels. Labels are
int64, -1 = none.
"""

import math
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
from mmhierseg.ops.label_sums import count_labels, sum_by_index
from mmhierseg.superpixels.base import check_number

#: Largest number for farthest point sampling: 512 MiB of inner products.
_MOST = 8192


class SegmentKMeans:
    """Spherical k-means over the segments of each image, of equal weight.

    Starts from K clusters around samples by farthest point sampling, or from
    a grid (K_h, K_w), as in HSG; an image with fewer segments gets fewer. With
    ``location``, the position of a segment, (y, x) - 0.5 with both in [0, 1],
    is appended to its embedding, as in HSG, so that clusters are compact.
    """

    def __init__(self,
                 num_clusters: int | Sequence[int],
                 num_iterations: int = 15,
                 location: bool = False) -> None:
        if isinstance(num_clusters, int):
            num_clusters = (num_clusters, )
        for number in num_clusters:
            check_number('num_clusters', number, minimum=1, whole=True)
        check_number('num_iterations', num_iterations, minimum=1, whole=True)
        if len(num_clusters) > 2:
            raise ValueError('`num_clusters` must be a number, or a grid '
                             f'(K_h, K_w), got {num_clusters}')
        self.grid = tuple(num_clusters) if len(num_clusters) == 2 else None
        self.num_clusters = math.prod(num_clusters)
        self.num_iterations = num_iterations
        self.location = location

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(num_clusters='
                f'{self.grid or self.num_clusters}, num_iterations='
                f'{self.num_iterations}, location={self.location})')

    @torch.no_grad()
    def __call__(self, embeddings: Tensor, labels: Tensor,
                 empty: Tensor) -> Tensor:
        """Clusters (B, N) int64, -1 = left out, of (B, N, D) unit vectors.

        ``labels`` are (B, H, W); ``empty``, (B, N) bool, marks segments
        without pixels or without an embedding.
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
    """(B, N, 2) float64: mean y and x, 0 to 1, of the pixels of segments.

    Sums of integers are exact, so the result does not depend on their order.
    """
    size, labels = labels.shape[1:], labels.flatten(1)
    places = torch.cartesian_prod(*(
        torch.arange(side, dtype=torch.float64, device=labels.device)
        for side in size))
    sums = sum_by_index(
        places.expand(len(labels), -1, -1), labels, num_segments)
    count = count_labels(labels, num_segments).clamp(min=1)
    return sums / count[..., None] / (sums.new_tensor(size) - 1).clamp(min=1)
