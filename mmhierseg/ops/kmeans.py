"""Spherical k-means of the features of each image.

HSG (Ke et al., CVPR 2022, Sec. 3) makes its segments by it, and it makes
segments of the features of any network, to compare hierarchies with. Given
where it starts it is deterministic: sums are products with matrices of zeros
and ones on a GPU, where additions by index would be atomic, and additions by
index on a CPU, where they are in order and 2 to 30 times faster (16 to 288
clusters of 130 channels).

On a GPU all images are grouped in one pass, which never waits for the host.
On a CPU it is few at a time, which caches hold, until none of their points
moves any more; with numba by a compiled twin, whose results are the same but
for points that are as far from two clusters to the last digits.

Legend: B images, N points, K clusters, C channels. Labels are int64, -1 =
none.
"""

from typing import Iterator, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops._numba import use_compiled
from mmhierseg.ops._numba.kmeans import cluster_images

from .checks import check_tokens
from .knn import first_of_largest

#: Points of an image that are compared with all clusters at once.
_POINTS = 16384
#: Numbers in the features of the images that a CPU groups at a time, 4 MiB in
#: float32: 10 views of 28 x 28 with 128 channels.
_CHUNK = 2**20


@torch.no_grad()
def spherical_kmeans(features: Tensor,
                     labels: Tensor,
                     num_clusters: int,
                     num_iterations: int = 15,
                     empty: Optional[Tensor] = None) -> Tensor:
    """Group points by the cosine of their features with the clusters' means.

    An iteration takes the normalised sum of the (normalised) features of each
    cluster, and gives every point to the most similar one, the first on ties.
    A cluster that has lost all of its points gets none any more.

    Args:
        features (Tensor): (B, N, C) float, of any length. Half precision is
            taken to float32.
        labels (Tensor): (B, N) int64 in [-1, K - 1], the clusters to start
            from. A point with -1 has no say in the first sums.
        num_clusters (int): K, at least 1.
        num_iterations (int): Iterations, at least 1. Defaults to 15.
        empty (Tensor, optional): (B, N) bool, points to leave out. Defaults
            to None: there are none.

    Returns:
        Tensor: (B, N) int64 in [-1, K - 1]; -1 for points that were left out,
        and for all of an image in which no point had a cluster.

    Raises:
        TypeError: If ``labels`` is not int64, or ``empty`` not bool.
        ValueError: If shapes do not fit, a label is K or above, or a number
            is below 1.

    Example:
        >>> features = torch.tensor([[[1., 0.], [.9, .1], [0., 1.], [.2, 1.]]])
        >>> spherical_kmeans(features, torch.tensor([[0, 1, 1, 1]]), 2)
        tensor([[0, 0, 1, 1]])
    """
    check_tokens('features', features, empty)
    _check_clusters(features, labels, num_clusters)
    if num_iterations < 1:
        raise ValueError('`num_iterations` must be at least 1, got '
                         f'{num_iterations}')
    dtype = torch.promote_types(features.dtype, torch.float32)
    result = torch.empty_like(labels)
    for images in image_chunks(features):
        unit = F.normalize(features[images].to(dtype), dim=2)
        result[images] = cluster_unit_vectors(
            unit, labels[images], num_clusters, num_iterations,
            None if empty is None else empty[images])
    return result


def image_chunks(features: Tensor) -> Iterator[slice]:
    """Images that are grouped at a time: all of them, but on a CPU.

    Args:
        features (Tensor): (B, ...) of them.

    Yields:
        slice: Of the images.
    """
    step = max(len(features), 1)
    if features.device.type == 'cpu' and features.numel():
        step = max(_CHUNK // features[0].numel(), torch.get_num_threads())
    for start in range(0, len(features), step):
        yield slice(start, start + step)


def cluster_unit_vectors(points: Tensor,
                         labels: Tensor,
                         num_clusters: int,
                         num_iterations: int,
                         empty: Optional[Tensor] = None) -> Tensor:
    """:func:`spherical_kmeans` of features of unit length, all at once.

    Args:
        points (Tensor): (B, N, C) float32 or wider.
        labels (Tensor): As there.
        num_clusters (int): As there.
        num_iterations (int): As there.
        empty (Tensor, optional): As there. Defaults to None.

    Returns:
        Tensor: (B, N) int64.
    """
    if empty is not None:
        labels = labels.masked_fill(empty, -1)
        # Whatever is there, even NaN: sums are products with zeros.
        points = points.masked_fill(empty[..., None], 0)
    if use_compiled(points):
        return cluster_images(points, labels, num_clusters, num_iterations,
                              empty)
    points = points.contiguous()
    for _ in range(num_iterations):
        with torch.autocast(points.device.type, enabled=False):
            sums, sizes = sum_by_label(points, labels, num_clusters)
            found = nearest_prototype(points, F.normalize(sums, dim=2),
                                      sizes == 0)
        if empty is not None:
            found = found.masked_fill(empty, -1)
        # A GPU would have to be waited for.
        if points.device.type == 'cpu' and torch.equal(found, labels):
            break
        labels = found
    return labels


def nearest_prototype(features: Tensor,
                      prototypes: Tensor,
                      empty: Optional[Tensor] = None) -> Tensor:
    """Most similar prototype of each point, by inner product.

    Args:
        features (Tensor): (B, N, C) float.
        prototypes (Tensor): (B, K, C) float of the same dtype.
        empty (Tensor, optional): (B, K) bool, prototypes that are not there:
            a zero vector would be nearer than what points away. Defaults to
            None: all are.

    Returns:
        Tensor: (B, N) int64 in [-1, K - 1]: the first one on ties, -1 where
        an image has no prototype.

    Example:
        >>> points = torch.tensor([[[1., 0.], [-1., .5]]])
        >>> prototypes = torch.tensor([[[1., 0.], [0., 0.], [-.9, -1.]]])
        >>> nearest_prototype(points, prototypes,
        ...                   torch.tensor([[False, True, False]]))
        tensor([[0, 2]])
    """
    labels = []
    # In blocks: the points may be all pixels of an image.
    for points in features.split(_POINTS, dim=1):
        # Points last: over the others, reductions are 5 times as fast.
        similarity = prototypes @ points.transpose(1, 2)
        if empty is not None:
            similarity.masked_fill_(empty[..., None], -torch.inf)
        labels.append(first_of_largest(similarity.transpose(1, 2)))
    labels = torch.cat(labels, dim=1)
    if empty is not None:
        labels = labels.masked_fill(empty.all(dim=1, keepdim=True), -1)
    return labels


def sum_by_label(features: Tensor, labels: Tensor,
                 num_labels: int) -> Tuple[Tensor, Tensor]:
    """Sum of the features with each label, image by image.

    Args:
        features (Tensor): (B, N, C) float.
        labels (Tensor): (B, N) int64 in [-1, K - 1]; -1 is left out.
        num_labels (int): K, at least 1.

    Returns:
        Tuple[Tensor, Tensor]: Sums (B, K, C) of the dtype of ``features``;
        and (B, K) int64, how many points each label has.

    Example:
        >>> features = torch.tensor([[[1.], [2.], [4.]]])
        >>> sum_by_label(features, torch.tensor([[1, -1, 1]]), 2)
        (tensor([[[0.],
                 [5.]]]), tensor([[0, 2]]))
    """
    if features.device.type == 'cpu':
        return _add_by_index(features, labels, num_labels)
    return _multiply_by_membership(features, labels, num_labels)


def _add_by_index(features: Tensor, labels: Tensor,
                  num_labels: int) -> Tuple[Tensor, Tensor]:
    """:func:`sum_by_label` by one pass over the points."""
    batch, _, channels = features.shape
    # The extra row of each image takes the points without a label.
    rows = num_labels + 1
    first = torch.arange(0, batch * rows, rows, device=labels.device)
    index = torch.where(labels < 0, num_labels, labels) + first[:, None]
    sums = features.new_zeros(batch * rows, channels)
    sums = sums.index_add(0, index.flatten(), features.flatten(0, 1))
    sizes = torch.bincount(index.flatten(), minlength=batch * rows)
    return (sums.view(batch, rows, -1)[:, :-1],
            sizes.view(batch, rows)[:, :-1])


def _multiply_by_membership(features: Tensor, labels: Tensor,
                            num_labels: int) -> Tuple[Tensor, Tensor]:
    """:func:`sum_by_label` by products with matrices of zeros and ones."""
    batch, _, channels = features.shape
    sums = features.new_zeros(batch, num_labels, channels)
    sizes = labels.new_zeros(batch, num_labels)
    classes = torch.arange(num_labels, device=labels.device)[:, None]
    for points, names in zip(
            features.split(_POINTS, dim=1), labels.split(_POINTS, dim=1)):
        belongs = names[:, None] == classes
        sums += belongs.to(features.dtype) @ points
        sizes += belongs.sum(dim=2)
    return sums, sizes


def grid_clusters(positions: Tensor, grid_size: Tuple[int, int]) -> Tensor:
    """Clusters to start from, laid out as a grid.

    HSG's: the row is round(y (K_h - 1)), columns likewise, so that the first
    and the last row reach half as far as the others.

    Args:
        positions (Tensor): (B, N, 2) float in [0, 1], y and x of each point.
        grid_size (Tuple[int, int]): (K_h, K_w), each at least 1.

    Returns:
        Tensor: (B, N) int64 in [0, K_h K_w - 1], numbered in rows.

    Raises:
        ValueError: If a side is below 1.

    Example:
        >>> positions = torch.tensor([[[0., 0.], [.2, .9], [1., 1.]]])
        >>> grid_clusters(positions, (3, 2))
        tensor([[0, 1, 5]])
    """
    if len(grid_size) != 2 or min(grid_size) < 1:
        raise ValueError('`grid_size` must be two numbers of at least 1, got '
                         f'{tuple(grid_size)}')
    sides = positions.new_tensor(grid_size)
    cells = (positions * (sides - 1)).round().long()
    return cells[..., 0] * grid_size[1] + cells[..., 1]


def _check_clusters(features: Tensor, labels: Tensor,
                    num_clusters: int) -> None:
    if labels.dtype != torch.int64:
        raise TypeError(f'`labels` must be int64, got {labels.dtype}')
    if labels.shape != features.shape[:2]:
        raise ValueError(
            f'`labels` must have shape {tuple(features.shape[:2])}, a cluster '
            f'for each point, got {tuple(labels.shape)}')
    if num_clusters < 1:
        raise ValueError('`num_clusters` must be at least 1, got '
                         f'{num_clusters}')
    if labels.numel() and int(labels.max()) >= num_clusters:
        raise ValueError(f'`labels` must be below `num_clusters`, '
                         f'{num_clusters}, got {int(labels.max())}')
