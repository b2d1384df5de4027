"""Spherical k-means of the points of each image, compiled.

Twin of what :func:`mmhierseg.ops.spherical_kmeans` does in torch. Besides
being one function instead of many small ones, it repeats nothing: sums and
similarities are those of the iteration before wherever a cluster has neither
won nor lost a point, and an image in which none has is done. Neither changes
a result.

Legend: N points, C channels, K clusters.
"""

from typing import Optional

import numpy as np
import torch
from torch import Tensor

from mmhierseg.ops._numba.switch import for_each_image, njit

__all__ = ['cluster_images']

#: Similarities that are kept from iteration to iteration, 4 MiB in float32.
#: With more of them, as of all pixels of a large image, those of a block of
#: points are there at a time, and all are computed in each iteration.
_KEPT = 2**20


def cluster_images(points: Tensor, labels: Tensor, num_clusters: int,
                   num_iterations: int, empty: Optional[Tensor]) -> Tensor:
    """Group the points of each image, on the CPU.

    Args:
        points (Tensor): (B, N, C) float, of unit length; zero where left out.
        labels (Tensor): (B, N) int64 in [-1, K - 1], clusters to start from,
            -1 where left out.
        num_clusters (int): K.
        num_iterations (int): Iterations.
        empty (Tensor, optional): (B, N) bool, points to leave out.

    Returns:
        Tensor: (B, N) int64 in [-1, K - 1].
    """
    if empty is None:
        empty = torch.zeros_like(labels, dtype=torch.bool)
    labels = labels.clone(memory_format=torch.contiguous_format)
    rows, columns, masks = (
        values.contiguous().numpy()
        for values in (points, points.transpose(1, 2), empty))
    found = labels.numpy()
    block = max(min(rows.shape[1], _KEPT // num_clusters), 1)

    def group(index: int) -> None:
        similarity = np.empty((num_clusters, block), rows.dtype)
        _iterate(rows[index], columns[index], found[index], masks[index],
                 similarity, num_iterations)

    for_each_image(group, len(labels))
    return labels


@njit  # pragma: no cover
def _iterate(points, channels, labels, empty, similarity,
             num_iterations):
    number, (num_clusters, block) = len(points), similarity.shape
    sums = np.empty((num_clusters, points.shape[1]), points.dtype)
    sizes = np.empty(num_clusters, np.int64)
    changed = np.ones(num_clusters, np.bool_)
    best = np.empty(block, points.dtype)
    nearest = np.empty(block, np.int32)
    for _ in range(num_iterations):
        _add(points, labels, changed, sums, sizes)
        prototypes = _normalise(sums)
        stale = np.nonzero(changed | (block < number))[0]
        changed[:] = False
        for first in range(0, number, block):
            size = min(block, number - first)
            _compare(channels, first, size, prototypes, stale, similarity)
            _find_nearest(similarity, sizes, best[:size], nearest)
            _relabel(nearest, empty[first:first + size],
                     labels[first:first + size], changed)
        if not changed.any():
            return


@njit  # pragma: no cover
def _add(points, labels, changed, sums, sizes):
    """Sums of the clusters that have changed."""
    for k in range(len(sums)):
        if changed[k]:
            sums[k] = 0
            sizes[k] = 0
    for i in range(len(points)):
        k = labels[i]
        if k >= 0 and changed[k]:
            sizes[k] += 1
            row, point = sums[k], points[i]
            for c in range(len(point)):
                row[c] += point[c]


@njit  # pragma: no cover
def _normalise(sums):
    """As torch does: nothing is divided by less than 1e-12."""
    unit = np.empty_like(sums)
    for k in range(len(sums)):
        square = 0.
        for value in sums[k]:
            square += value * value
        unit[k] = sums[k] / sums.dtype.type(max(np.sqrt(square), 1e-12))
    return unit


@njit(fastmath={'contract'})  # pragma: no cover
def _compare(channels, first, number, prototypes, clusters,
             similarity):
    """Inner products of points with some prototypes, four at a time."""
    done = len(clusters) // 4 * 4
    for i in range(0, done, 4):
        h, j = clusters[i], clusters[i + 1]
        k, m = clusters[i + 2], clusters[i + 3]
        _compare_four(channels, first, number, prototypes[h], prototypes[j],
                      prototypes[k], prototypes[m], similarity[h],
                      similarity[j], similarity[k], similarity[m])
    for i in range(done, len(clusters)):
        _compare_one(channels, first, number, prototypes[clusters[i]],
                     similarity[clusters[i]])


@njit(fastmath={'contract'})  # pragma: no cover
def _compare_four(channels, first, number, p0, p1, p2, p3, s0, s1, s2,
                  s3):
    """A product of matrices in blocks that registers hold."""
    last = first + number
    for row in (s0, s1, s2, s3):
        row[:number] = 0
    done = len(channels) // 4 * 4
    for c in range(0, done, 4):
        a = channels[c, first:last]
        b = channels[c + 1, first:last]
        d = channels[c + 2, first:last]
        e = channels[c + 3, first:last]
        for i in range(number):
            s0[i] += (p0[c] * a[i] + p0[c + 1] * b[i] + p0[c + 2] * d[i] +
                      p0[c + 3] * e[i])
            s1[i] += (p1[c] * a[i] + p1[c + 1] * b[i] + p1[c + 2] * d[i] +
                      p1[c + 3] * e[i])
            s2[i] += (p2[c] * a[i] + p2[c + 1] * b[i] + p2[c + 2] * d[i] +
                      p2[c + 3] * e[i])
            s3[i] += (p3[c] * a[i] + p3[c + 1] * b[i] + p3[c + 2] * d[i] +
                      p3[c + 3] * e[i])
    for c in range(done, len(channels)):
        a = channels[c, first:last]
        for i in range(number):
            s0[i] += p0[c] * a[i]
            s1[i] += p1[c] * a[i]
            s2[i] += p2[c] * a[i]
            s3[i] += p3[c] * a[i]


@njit(fastmath={'contract'})  # pragma: no cover
def _compare_one(channels, first, number, prototype,
                 similarity):
    similarity[:number] = 0
    for c in range(len(channels)):
        row, value = channels[c, first:first + number], prototype[c]
        for i in range(number):
            similarity[i] += value * row[i]


@njit  # pragma: no cover
def _find_nearest(similarity, sizes, best, nearest):
    """The first of the most similar clusters that have points, or -1.

    Points that are NaN are in some cluster: what has become NaN is to be seen
    in what comes of it, not left out.
    """
    number = len(best)
    best[:] = -np.inf
    occupied = np.nonzero(sizes)[0]
    nearest[:number] = occupied[0] if len(occupied) else -1
    for k in range(len(similarity)):
        if sizes[k]:
            row = similarity[k]
            for i in range(number):
                if row[i] > best[i]:
                    best[i] = row[i]
                    nearest[i] = k


@njit  # pragma: no cover
def _relabel(nearest, empty, labels, changed):
    """Take what was found; mark the clusters that win or lose a point."""
    for i in range(len(labels)):
        before, after = labels[i], nearest[i]
        if empty[i] or before == after:
            continue
        if before >= 0:
            changed[before] = True
        if after >= 0:
            changed[after] = True
        labels[i] = after
