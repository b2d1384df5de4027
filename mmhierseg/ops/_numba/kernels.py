"""Numba kernels of farthest point sampling, nearest edges and relabelling."""

import numpy as np
import torch
from torch import Tensor

from . import for_each_image, njit

#: Directions that farthest point sampling looks at first, and in all; points
#: and picks from which on it does. Measured with 384 channels.
_FIRST_DIRECTIONS, _DIRECTIONS = 48, 80
_LEAST_POINTS, _LEAST_PICKS = 1024, 512
#: Points that are looked at together, so that sums stay in the cache, and of
#: which the largest distance is kept.
_BLOCK = 256


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
        lambda i: _sample_image(
            rows[i], *_project(points[i], num_samples), mask[i], pick_empty,
            tolerance, picks[i]), len(rows))
    return torch.from_numpy(picks)


def _project(points: Tensor, num_samples: int
             ) -> tuple[np.ndarray, np.ndarray, float]:
    """Points in directions of large variance, and the scale.

    The first directions, (M, N), and the others, (N, L), are float32. Most
    points are too far from a pick in the first ones to become any nearer, and
    nearly all in both. None is farther than 1 from the origin, so that
    rounding moves it by less than 2^-22. Where all this is not worth it, M and
    L are 0.
    """
    number, channels = points.shape
    radius = 0.
    if (number >= _LEAST_POINTS and num_samples >= _LEAST_PICKS
            and channels > _DIRECTIONS and points.dtype == torch.float32):
        points = points - points.mean(dim=0)
        radius = float(torch.linalg.vector_norm(
            points, dim=1, dtype=torch.float64).max())
    if not 1e-15 < radius < 1e15:  # where squares are precise in float32
        return (np.empty((0, number), np.float32),
                np.empty((number, 0), np.float32), 1.)
    # Distances in orthogonal directions are never too large, whichever these
    # are. Some points tell which vary, and two powers separate them well
    # enough.
    some = points[::max(number // _LEAST_POINTS, 1)]
    scatter = (some.T @ some).double()
    order = scatter.diagonal().argsort(descending=True)
    directions = scatter[:, order[:_DIRECTIONS]]
    for _ in range(2):
        directions = torch.linalg.qr(scatter @ directions).Q
    # Largest first.
    _, turn = torch.linalg.eigh(directions.T @ scatter @ directions)
    directions = directions @ turn.flip(1) / radius
    table = (points.double() @ directions).float()
    return (table[:, :_FIRST_DIRECTIONS].T.contiguous().numpy(),
            table[:, _FIRST_DIRECTIONS:].contiguous().numpy(), 1 / radius)


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
def _sum_squares(first, second):
    """The same in float32."""
    total = np.float32(0)
    for c in range(len(first)):
        difference = first[c] - second[c]
        total += difference * difference
    return total


@njit  # pragma: no cover
def _least_distance(first, second):
    """The same, less the most that rounding may have added.

    No more than that where it is above 1e-30: in smaller sums, squares that
    are subnormal may have gained any share.
    """
    return _sum_squares(first, second) * (1 - (len(first) + 4) * 2.**-24)


@njit(fastmath={'reassoc', 'contract'})  # pragma: no cover
def _add_squares(table, first, last, pick, total):
    """Squared distances of some points to a pick, in the table."""
    total[:last - first] = 0
    for c in range(len(table)):
        row, centre = table[c, first:last], table[c, pick]
        for i in range(len(row)):
            difference = row[i] - centre
            total[i] += difference * difference


@njit  # pragma: no cover
def _too_far(distance, scale):
    """Squared distance in the table from which on nothing becomes nearer.

    Rounding moved both points, and adds less than 2^-17 of it to the sum.
    """
    return np.float32((np.sqrt(distance) * scale + 2.**-21)**2 * (1 + 2.**-16))


@njit  # pragma: no cover
def _next_pick(distance, largest, equal):
    """The first of the farthest points; NaN stays: it is the last then."""
    farthest = np.max(largest)
    threshold = farthest - equal
    if farthest >= 0:
        threshold = max(threshold, 0.)
    for block in range(len(largest)):
        if largest[block] >= threshold:
            i = block * _BLOCK
            while distance[i] < threshold:
                i += 1
            return i, farthest
    return len(distance) - 1, farthest


@njit  # pragma: no cover
def _largest_of_block(distance, i):
    """In the block that has point i."""
    first = i // _BLOCK * _BLOCK
    return np.max(distance[first:first + _BLOCK])


@njit  # pragma: no cover
def _sample_image(points, table, others, scale, empty, pick_empty, tolerance,
                  picks):
    number = len(points)
    mean = np.zeros(points.shape[1])
    for i in range(number):
        if not empty[i]:
            mean += points[i]
    mean /= max(number - np.sum(empty), 1)
    # Squared distance to what has been picked, the mean at first.
    to_mean = np.zeros(number)
    far = np.full(number, np.inf, np.float32)
    for i in range(number):
        if not empty[i]:
            to_mean[i] = _squared_distance(points[i], mean)
            far[i] = _too_far(to_mean[i], scale)
    equal = tolerance * np.max(to_mean)
    distance = to_mean.copy()
    if not pick_empty:
        distance[empty] = far[empty] = -np.inf
    largest = np.array([
        _largest_of_block(distance, i) for i in range(0, number, _BLOCK)
    ])
    total = np.empty(_BLOCK, np.float32)
    for k in range(len(picks)):
        pick, farthest = _next_pick(distance, largest, equal)
        picks[k] = pick
        if farthest < 0 and not pick_empty:
            picks[k] = -1
        for first in range(0, number, _BLOCK):
            last, changed = min(first + _BLOCK, number), False
            _add_squares(table, first, last, pick, total)
            for i in range(first, last):
                near = total[i - first]
                if near >= far[i] and not empty[pick] or distance[i] < 0:
                    continue
                # Empty points lie at the mean; those distances are known.
                if empty[pick]:
                    found = to_mean[i]
                elif empty[i]:
                    found = to_mean[pick]
                else:
                    near += _sum_squares(others[i], others[pick])
                    if near >= far[i]:
                        continue
                    least = _least_distance(points[i], points[pick])
                    if distance[i] <= least and 1e-30 < least < np.inf:
                        continue
                    found = _squared_distance(points[i], points[pick])
                if found < distance[i]:
                    distance[i], far[i] = found, _too_far(found, scale)
                    changed = True
            if changed:
                largest[first // _BLOCK] = _largest_of_block(distance, first)
        distance[pick] = far[pick] = -np.inf
        largest[pick // _BLOCK] = _largest_of_block(distance, pick)


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
