"""Numba kernel of the edges to the nearest nodes of each view."""

import numpy as np
from torch import Tensor

from mmhierseg.ops._numba.switch import for_each_image, njit

__all__ = ['mark_nearest']


def mark_nearest(weight: Tensor, views: Tensor, k: int,
                 adjacency: Tensor) -> None:
    """Mark edges among the k heaviest of their node and view, ties included.

    ``weight`` (B, L, L) float, at least 0 and contiguous; ``views`` (B, L)
    int64, 0, 1, ..., -1 for padding; ``adjacency`` (B, L, L) of zeros becomes
    1 where there is an edge. None leads from a node to itself unless it is
    alone.
    """
    heavy, names, edges = (
        values.numpy() for values in (weight, views, adjacency))
    # Numbers that are not negative are in the order of their bits, and loops
    # over integers are vectorised as those over floats are not.
    heavy = heavy.view(f'i{heavy.itemsize}')

    def mark(index: int) -> None:
        _mark_image(heavy[index], names[index], k, edges[index])

    for_each_image(mark, len(heavy))


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
