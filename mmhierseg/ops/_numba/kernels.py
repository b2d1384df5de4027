"""Numba kernels of farthest point sampling, nearest edges and relabelling."""

import numpy as np
import torch
from torch import Tensor

from . import for_each_image, njit

#: Channels that farthest point sampling looks at first, and points from which
#: on it does: measured with 384 channels.
_LEADING, _LEAST_POINTS = 32, 1024


def sample_farthest_points(points: Tensor, num_samples: int,
                           empty: Tensor | None, pick_empty: bool,
                           tolerance: float) -> Tensor:
    """Farthest point sampling from the distances themselves."""
    points = points.detach().contiguous()
    if points.dtype != torch.float64:
        points = points.float()  # NumPy lacks bfloat16
    rows = points.numpy()
    if empty is None:
        empty = torch.zeros(points.shape[:2], dtype=torch.bool)
    mask = empty.contiguous().numpy()
    picks = np.empty((len(rows), num_samples), dtype=np.int64)
    for_each_image(
        lambda i: _sample_image(rows[i], _leading_channels(points[i]), mask[i],
                                pick_empty, tolerance, picks[i]), len(rows))
    return torch.from_numpy(picks)


def _leading_channels(points: Tensor) -> np.ndarray:
    """(N, M) float32, the channels of largest variance; M = 0: not worth it.

    Most points are too far from a pick in these to become any nearer. Their
    table stays in the cache where that of all channels does not.
    """
    if len(points) < _LEAST_POINTS or points.dtype == torch.float64:
        return points[:, :0].numpy()
    # Some points tell which channels vary.
    some = points[::len(points) // 256]
    chosen = some.var(dim=0).argsort(descending=True)[:_LEADING]
    return points.index_select(1, chosen).numpy()


@njit(fastmath={'reassoc', 'contract'})  # pragma: no cover
def _squared_distance(first, second):
    """In float64, summed in any order, so that it is vectorised.

    NaN stays NaN.
    """
    total = 0.
    for c in range(len(first)):
        difference = np.float64(first[c]) - np.float64(second[c])
        total += difference * difference
    return total


@njit(fastmath={'reassoc', 'contract'})  # pragma: no cover
def _least_distance(first, second):
    """The same in float32, as they are, less what rounding may have added.

    No more than that where it is above 1e-30: in smaller sums, squares that
    are subnormal may have gained any share.
    """
    total = np.float32(0)
    for c in range(len(first)):
        difference = first[c] - second[c]
        total += difference * difference
    return total * (1 - (len(first) + 4) * 2.**-24)


@njit  # pragma: no cover
def _sample_image(points, leading, empty, pick_empty, tolerance, picks):
    number = len(points)
    mean = np.zeros(points.shape[1])
    for i in range(number):
        if not empty[i]:
            mean += points[i]
    mean /= max(number - np.sum(empty), 1)
    # Squared distance to what has been picked, the mean at first.
    to_mean = np.zeros(number)
    for i in range(number):
        if not empty[i]:
            to_mean[i] = _squared_distance(points[i], mean)
    equal = tolerance * np.max(to_mean)
    distance = to_mean.copy()
    if not pick_empty:
        distance[empty] = -np.inf
    for k in range(len(picks)):
        # NaN stays: the last point is picked then.
        farthest = np.max(distance)
        threshold = farthest - equal
        if farthest >= 0:
            threshold = max(threshold, 0.)
        pick = number - 1
        for i in range(number):
            if distance[i] >= threshold:
                pick = i
                break
        picks[k] = pick
        if farthest < 0 and not pick_empty:
            picks[k] = -1
        # Distances of empty points, which lie at the mean, are known.
        for i in range(number):
            if distance[i] < 0:
                continue
            if empty[pick]:
                total = to_mean[i]
            elif empty[i]:
                total = to_mean[pick]
            else:
                least = _least_distance(leading[i], leading[pick])
                if distance[i] <= least and 1e-30 < least < np.inf:
                    continue
                total = _squared_distance(points[i], points[pick])
            distance[i] = min(distance[i], total)
        distance[pick] = -np.inf


def mark_nearest(weight: Tensor, views: Tensor, k: int,
                 adjacency: Tensor) -> None:
    """Mark edges among the k heaviest of their node and view, ties included.

    ``weight`` (B, L, L) is contiguous and at least 0; ``views`` (B, L) are 0,
    1, ..., -1 for padding; ``adjacency`` (B, L, L) is zero at first.
    """
    heavy, names, edges = (
        values.numpy() for values in (weight, views, adjacency))
    # Numbers that are not negative are in the order of their bits, and loops
    # over integers are vectorised as those over floats are not.
    heavy = heavy.view(f'i{heavy.itemsize}')
    for_each_image(
        lambda i: _mark_image(heavy[i], names[i], k, edges[i]), len(heavy))


@njit  # pragma: no cover
def _mark_image(weight, views, k, adjacency):
    # Nodes view by view, padding left out.
    nodes = np.argsort(views, kind='mergesort')
    nodes = nodes[np.sum(views < 0):]
    ends = np.cumsum(np.bincount(views[nodes]))
    row = np.empty(len(nodes), weight.dtype)
    for own, i in enumerate(nodes):
        for place, j in enumerate(nodes):
            row[place] = weight[i, j]
        if len(nodes) > 1:
            row[own] = 0
        first = 0
        for last in ends:
            _keep_heaviest(row[first:last], k)
            first = last
        for place, j in enumerate(nodes):
            adjacency[i, j] = row[place]


@njit  # pragma: no cover
def _keep_heaviest(weights, k):
    """Replace weights by 1 where they are among the k largest, else by 0."""
    integer = weights.dtype.type
    least, missing = integer(np.iinfo(weights.dtype).max), integer(k)
    for _ in range(k):
        # The largest of those that are below, and how many there are of it.
        largest = integer(0)
        for place in range(len(weights)):
            below = weights[place] if weights[place] < least else integer(0)
            largest = max(below, largest)
        least = largest
        for place in range(len(weights)):
            missing -= integer(weights[place] == largest)
        if missing <= 0 or largest <= 0:
            break
    # Those of no weight are not among them.
    least = max(least, integer(1))
    for place in range(len(weights)):
        weights[place] = weights[place] >= least


@njit  # pragma: no cover
def rank_labels(labels, num_labels, result):
    """Write the ranks of (P,) labels, -1 if negative; return their number."""
    rank = np.full(num_labels, -1, np.int64)
    for label in labels:
        if label >= 0:
            rank[label] = 0
    number = 0
    for label in range(num_labels):
        if rank[label] == 0:
            rank[label] = number
            number += 1
    for i in range(len(labels)):
        result[i] = rank[labels[i]] if labels[i] >= 0 else -1
    return number
