"""Spherical k-means of the features of each image.

HSG (Ke et al., CVPR 2022, Sec. 3): the pixels of a view are grouped by
embedding and location, [v ; (y, x) - 0.5], starting from a grid
(:func:`cluster_views`). :func:`spherical_kmeans` groups any features, and
:func:`kmeans_hierarchy` then groups the groups.

The result is a function of the initial clusters alone. A GPU groups all images
at once without waiting for the host; a CPU stops when no point moves.

Legend: B images or V views, N points, K clusters (K_h x K_w of a grid), C or D
channels, h x w pixels of an embedding. Labels are int64, -1 = none.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import (
    check_at_least_1,
    check_dtype,
    check_range,
    check_shape,
    check_tokens,
    reads_are_free,
    wide,
)
from .knn import first_of_largest
from .label_maps import compact_labels
from .label_sums import POINTS, sum_by_label

#: Numbers in the features of the images that a CPU groups at a time, 4 MiB in
#: float32: 10 views of 28 x 28 with 128 channels.
_CHUNK = 2**20
#: Lower bound of lengths that are divided by, as in ``F.normalize``.
_TINY = 1e-12


@torch.no_grad()
def spherical_kmeans(features: Tensor,
                     labels: Tensor,
                     num_clusters: int,
                     num_iterations: int = 15,
                     empty: Tensor | None = None) -> Tensor:
    """Group points by the cosine of their features with the clusters' means.

    An iteration takes the normalised sum of the normalised features of each
    cluster and assigns every point to the most similar one, the first on ties.
    As in HSG, an empty cluster has the similarity 0 to all points.

    Args:
        features (Tensor): (B, N, C) float, of any length; computed in at least
            float32.
        labels (Tensor): (B, N) int64 in [-1, K - 1], initial clusters; -1 does
            not contribute to the first sums.
        num_clusters (int): K, at least 1.
        num_iterations (int): At least 1.
        empty (Tensor, optional): (B, N) bool, points to leave out.

    Returns:
        Tensor: (B, N) int64 in [-1, K - 1]; -1 for points that were left out.
    """
    check_tokens(empty, features=features)
    check_dtype(torch.int64, labels=labels)
    check_shape(features.shape[:2], labels=labels)
    check_at_least_1(num_clusters=num_clusters, num_iterations=num_iterations)
    check_range(num_clusters, labels=labels)
    return _cluster_images(
        features, lambda some: F.normalize(wide(some), dim=2), labels,
        num_clusters, num_iterations, empty)


@torch.no_grad()
def kmeans_hierarchy(features: Tensor,
                     num_clusters: Sequence[int],
                     num_iterations: int = 30,
                     seed: int = 0) -> tuple[Tensor, list[Tensor]]:
    """Group points by k-means, then the groups, from fine to coarse.

    As CAST's authors do for a vision transformer: initial clusters are
    uniformly random, the same for all images; a centre is the normalised sum
    of its points' features, which are not normalised; a point joins the centre
    with the largest inner product. The points of the next level are the
    normalised sums of the clusters that are not empty.

    Args:
        features (Tensor): (B, N, C) float.
        num_clusters (Sequence[int]): K_l of each level, at least 1.
        num_iterations (int): At least 1.
        seed (int): Of the initial clusters.

    Returns:
        tuple[Tensor, list[Tensor]]: Labels (B, N) int64 in [0, K_0 - 1],
        numbered without gaps, and for each further level the parents
        (B, K_{l - 1}), -1 for clusters that do not exist.
    """
    check_tokens(features=features)
    check_at_least_1(
        num_iterations=num_iterations, num_clusters=min(num_clusters))
    generator = torch.Generator().manual_seed(seed)
    levels, empty = [], None
    for number in num_clusters:
        start = torch.randint(
            number, (features.size(1), ), generator=generator)
        labels = _cluster_images(
            features, wide, start.to(features.device).expand(
                len(features), -1), number, num_iterations, empty)
        labels, _ = compact_labels(labels, number)
        levels.append(labels)
        sums, sizes = sum_by_label(wide(features), labels, number)
        features, empty = F.normalize(sums, dim=2), sizes == 0
    return levels[0], levels[1:]


@torch.no_grad()
def cluster_views(embeddings: Tensor,
                  grid_size: tuple[int, int],
                  num_iterations: int = 15,
                  ignored: Tensor | None = None) -> Tensor:
    """Group the pixels of each view by embedding and location.

    Args:
        embeddings (Tensor): (V, D, h, w) float, of any length.
        grid_size (tuple[int, int]): (K_h, K_w), initial clusters: pixels of
            row y start in row round(linspace(0, K_h - 1, h))[y] of the grid,
            columns likewise.
        num_iterations (int): At least 1.
        ignored (Tensor, optional): (V, h, w) bool, pixels to leave out, even
            NaN.

    Returns:
        Tensor: (V, h, w) int64 in [-1, K - 1], -1 only where ignored: pixels
        of NaN get some cluster.
    """
    if embeddings.dim() != 4 or 0 in embeddings.shape:
        raise ValueError('`embeddings` must have shape (V, D, h, w), none of '
                         f'them 0, got {tuple(embeddings.shape)}')
    views, _, height, width = embeddings.shape
    check_dtype(torch.bool, ignored=ignored)
    check_shape((views, height, width), ignored=ignored)
    check_at_least_1(num_iterations=num_iterations, grid_size=min(grid_size))
    device = embeddings.device
    rows, columns = (
        torch.linspace(
            0, number - 1, side, dtype=torch.float32,
            device=device).round().long()
        for number, side in zip(grid_size, (height, width)))
    start = (rows[:, None] * grid_size[1] + columns).flatten()
    labels = _cluster_images(
        embeddings, location_features, start.expand(views, -1),
        grid_size[0] * grid_size[1], num_iterations,
        None if ignored is None else ignored.flatten(1))
    return labels.view(views, height, width)


def location_features(embeddings: Tensor) -> Tensor:
    """(V, h w, D + 2) unit vectors [v ; (y, x) - 0.5] of (V, D, h, w)."""
    embeddings = wide(embeddings)
    sides = [
        torch.linspace(
            0, 1, side, dtype=embeddings.dtype, device=embeddings.device) - 0.5
        for side in embeddings.shape[2:]
    ]
    location = torch.stack(torch.meshgrid(sides, indexing='ij')).flatten(1)
    embeddings = embeddings.flatten(2)
    # F.normalize over channels, which are far apart in memory, is ten times
    # slower on a CPU.
    square = embeddings.square().sum(dim=1, keepdim=True)
    unit = square.clamp(min=_TINY**2).rsqrt()
    square = square * unit.square() + location.square().sum(dim=0)
    shrink = square.clamp(min=_TINY**2).rsqrt()
    return torch.cat([embeddings * (unit * shrink), location * shrink],
                     dim=1).transpose(1, 2)


def nearest_prototype(features: Tensor,
                      prototypes: Tensor,
                      empty: Tensor | None = None) -> Tensor:
    """Most similar prototype of each point, by inner product.

    Args:
        features (Tensor): (B, N, C) float.
        prototypes (Tensor): (B, K, C) float of the same dtype.
        empty (Tensor, optional): (B, K) bool, prototypes to leave out; as zero
            vectors they would win over those that point away.

    Returns:
        Tensor: (B, N) int64 in [-1, K - 1]: the first one on ties, that is,
        among products that agree up to rounding, sqrt(C) eps times the
        lengths; -1 where an image has no prototype.
    """
    scale = features.norm(dim=2, keepdim=True) * prototypes.norm(
        dim=2).amax(dim=1)[:, None, None]
    return _nearest(features, prototypes, empty, scale)


def _nearest(features: Tensor, prototypes: Tensor, empty: Tensor | None,
             scale: Tensor) -> Tensor:
    """The same; ``scale`` (B, N, 1) bounds the products of the lengths."""
    if empty is not None and reads_are_free(empty) and not empty.any():
        empty = None
    # Rounding of equal products that are summed in another order.
    tolerance = scale * (
        features.size(2)**0.5 * torch.finfo(features.dtype).eps)
    labels = []
    # In blocks: the points may be all pixels of an image.
    for points, within in zip(
            features.split(POINTS, dim=1), tolerance.split(POINTS, dim=1)):
        # Points last: reductions are 5 times as fast.
        similarity = prototypes @ points.transpose(1, 2)
        if empty is not None:
            similarity.masked_fill_(empty[..., None], -torch.inf)
        labels.append(first_of_largest(similarity.transpose(1, 2), within))
    labels = torch.cat(labels, dim=1)
    if empty is not None:
        labels = labels.masked_fill(empty.all(dim=1, keepdim=True), -1)
    return labels


def grid_clusters(positions: Tensor, grid_size: tuple[int, int]) -> Tensor:
    """Initial clusters that are laid out as a grid.

    As in HSG, the row is round(y (K_h - 1)), columns likewise, so that border
    cells are half as wide as the others.

    Args:
        positions (Tensor): (B, N, 2) float in [0, 1], y and x of each point.
        grid_size (tuple[int, int]): (K_h, K_w), each at least 1.

    Returns:
        Tensor: (B, N) int64 in [0, K_h K_w - 1], in row-major order.
    """
    check_at_least_1(grid_size=min(grid_size))
    sides = positions.new_tensor(grid_size)
    cells = (positions * (sides - 1)).round().long()
    return cells[..., 0] * grid_size[1] + cells[..., 1]


def _cluster_images(features: Tensor, to_points: Callable, labels: Tensor,
                    num_clusters: int, num_iterations: int,
                    empty: Tensor | None) -> Tensor:
    """(B, N) clusters, as many images at a time as fit into a CPU's cache."""
    step = max(len(features), 1)
    if features.device.type == 'cpu' and features.numel():
        step = max(_CHUNK // features[0].numel(), torch.get_num_threads())
    result = labels.new_empty(labels.shape)
    for start in range(0, len(features), step):
        some = slice(start, start + step)
        result[some] = _cluster(
            to_points(features[some]), labels[some], num_clusters,
            num_iterations, None if empty is None else empty[some])
    return result


def _cluster(points: Tensor, labels: Tensor, num_clusters: int,
             num_iterations: int, empty: Tensor | None) -> Tensor:
    if empty is not None:
        labels = labels.masked_fill(empty, -1)
        # Whatever they hold, even NaN: sums are products with zeros.
        points = points.masked_fill(empty[..., None], 0)
    points = points.contiguous()
    # Sums are fastest of rows, inner products of columns.
    columns = points.transpose(1, 2).contiguous().transpose(1, 2)
    lengths = points.norm(dim=2, keepdim=True)
    for _ in range(num_iterations):
        with torch.autocast(points.device.type, enabled=False):
            sums, _ = sum_by_label(points, labels, num_clusters)
            found = _nearest(columns, F.normalize(sums, dim=2), None, lengths)
        if empty is not None:
            found = found.masked_fill(empty, -1)
        # A GPU would have to be waited for.
        if points.device.type == 'cpu' and torch.equal(found, labels):
            break
        labels = found
    return labels
