"""Numba kernel of :func:`mmhierseg.ops.compact_labels`."""

import numpy as np

from mmhierseg.ops._numba.switch import njit

__all__ = ['rank_labels']


@njit  # pragma: no cover
def rank_labels(labels, num_labels, result):
    """Renumber the (P,) labels of an image to 0..n-1 in their own order.

    ``result`` (P,) receives them, -1 for negative ones; returns n.
    """
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
