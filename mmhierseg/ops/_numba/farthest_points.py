"""Farthest point sampling, compiled.

On a CPU the distances themselves are cheaper than the Gram matrix of the
tokens: with K picks among N tokens they are K N C multiplications, the matrix
N N C, and K is a third of N in CAST. A token's row stays in the cache of its
core.
"""

from typing import Optional

import numpy as np
import torch
from torch import Tensor

from mmhierseg.ops._numba.switch import for_each_image, njit

__all__ = ['sample_farthest_points']


def sample_farthest_points(points: Tensor, num_samples: int,
                           empty: Optional[Tensor], pick_empty: bool,
                           tolerance: float) -> Tensor:
    """What ``mmhierseg.ops.farthest_point_sampling`` gives, on the CPU.

    Args:
        points (Tensor): (B, N, C) float.
        num_samples (int): K.
        empty (Tensor, optional): (B, N) bool.
        pick_empty (bool): Whether empty points, put at the mean, are picked.
        tolerance (float): Two squared distances are equal that differ by less
            than this times the largest to the mean.

    Returns:
        Tensor: (B, K) int64 in [-1, N - 1].
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


# Sums may be taken in any order, so that they are vectorised; NaN stays NaN.
@njit(fastmath={'reassoc', 'contract'})  # pragma: no cover
def _sample_image(points, empty, pick_empty, tolerance, picks):
    """Fill ``picks`` (K,) for the (N, C) points of one image."""
    number, channels = points.shape
    mean = np.zeros(channels)
    taking_part = 0
    for i in range(number):
        if not empty[i]:
            taking_part += 1
            for c in range(channels):
                mean[c] += points[i, c]
    for c in range(channels):
        mean[c] /= max(taking_part, 1)
    # Squared distance to what has been picked, the mean at first.
    distance = np.empty(number)
    to_mean = np.zeros(number)
    largest = 0.
    for i in range(number):
        if not empty[i]:
            total = 0.
            for c in range(channels):
                difference = points[i, c] - mean[c]
                total += difference * difference
            to_mean[i] = total
            largest = max(largest, total)
        distance[i] = to_mean[i]
        if empty[i] and not pick_empty:
            distance[i] = -np.inf
    for k in range(len(picks)):
        farthest = distance[0]
        for i in range(1, number):
            # NaN stays: the last point is picked then.
            if distance[i] > farthest or np.isnan(distance[i]):
                farthest = distance[i]
        threshold = farthest - tolerance * largest
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
                total = 0.
                for c in range(channels):
                    difference = points[i, c] - points[pick, c]
                    total += difference * difference
            distance[i] = min(distance[i], total)
        distance[pick] = -np.inf
