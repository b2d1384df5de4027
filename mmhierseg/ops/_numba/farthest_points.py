"""Numba kernel of farthest point sampling.

On a CPU the distances themselves, K N C multiplications, are cheaper than the
N N C of a Gram matrix: K is a third of N in CAST. A token's row stays in the
cache of its core.
"""

import numpy as np
import torch
from torch import Tensor

from mmhierseg.ops._numba.switch import for_each_image, njit

__all__ = ['sample_farthest_points']


def sample_farthest_points(points: Tensor, num_samples: int,
                           empty: Tensor | None, pick_empty: bool,
                           tolerance: float) -> Tensor:
    """:func:`mmhierseg.ops.farthest_point_sampling` on the CPU.

    Squared distances are equal that differ by less than ``tolerance`` times
    the largest to the mean.
    """
    rows = points.detach().double().contiguous().numpy()
    if empty is None:
        empty = torch.zeros(points.shape[:2], dtype=torch.bool)
    mask = empty.contiguous().numpy()
    picks = np.empty((len(rows), num_samples), dtype=np.int64)

    def sample(index: int) -> None:
        _sample_image(rows[index], mask[index], pick_empty, tolerance,
                      picks[index])

    for_each_image(sample, len(rows))
    return torch.from_numpy(picks)


@njit(fastmath={'reassoc', 'contract'})  # pragma: no cover
def _squared_distance(first, second):
    """Summed in any order, so that it is vectorised; NaN stays NaN."""
    total = 0.
    for c in range(len(first)):
        difference = first[c] - second[c]
        total += difference * difference
    return total


@njit  # pragma: no cover
def _sample_image(points, empty, pick_empty, tolerance, picks):
    """Fill ``picks`` (K,) for the (N, C) points of one image."""
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
                total = _squared_distance(points[i], points[pick])
            distance[i] = min(distance[i], total)
        distance[pick] = -np.inf
