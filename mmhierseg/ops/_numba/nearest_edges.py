"""Edges to the nearest nodes of each view, compiled.

Legend: B images, n nodes (padded), L nodes with more padding, k edges.
"""

import numpy as np
from torch import Tensor

from mmhierseg.ops._numba.switch import for_each_image, njit

__all__ = ['mark_nearest']


def mark_nearest(weight: Tensor, views: Tensor, k: int,
                 adjacency: Tensor) -> None:
    """Mark edges that are among the k heaviest of their node and view.

    All that are as heavy as the k-th; none of no weight, and none from a node
    to itself unless it is alone.

    Args:
        weight (Tensor): (B, n, n) float on the CPU, at least 0; contiguous.
        views (Tensor): (B, n) int64, view of each node, -1 for padding.
        k (int): Edges of a node to each view, at least 1.
        adjacency (Tensor): (B, L, L) of zeros; becomes 1 where there is an
            edge, in the first n rows and columns.
    """
    heavy, names, edges = (
        values.numpy() for values in (weight, views.contiguous(), adjacency))
    # Numbers that are not negative are in the order of their bits, and loops
    # over integers are vectorised as those over floats are not.
    heavy = heavy.view(f'i{heavy.itemsize}')

    def mark(index: int) -> None:
        _mark_image(heavy[index], names[index], k, edges[index])

    for_each_image(mark, len(heavy))


@njit  # pragma: no cover
def _mark_image(weight, views, k, adjacency):
    nodes = np.nonzero(views >= 0)[0]
    ranks, number = _rank(views, nodes)
    # Nodes view by view.
    nodes = nodes[np.argsort(ranks, kind='mergesort')]
    ends = np.cumsum(np.bincount(ranks, minlength=number))
    row = np.empty(len(nodes), weight.dtype)
    for place, i in enumerate(nodes):
        for p in range(len(nodes)):
            row[p] = weight[i, nodes[p]]
        if len(nodes) > 1:
            row[place] = 0
        first = 0
        for last in ends:
            _keep_heaviest(row[first:last], k)
            first = last
        for p in range(len(nodes)):
            adjacency[i, nodes[p]] = row[p]


@njit  # pragma: no cover
def _keep_heaviest(weights, k):
    """Replace weights by 1 where they are among the k largest, else by 0."""
    integer = weights.dtype.type
    least, missing = integer(np.iinfo(weights.dtype).max), integer(k)
    for _ in range(k):
        # The largest of those that are below, and how many there are of it.
        largest = integer(0)
        for p in range(len(weights)):
            below = weights[p] if weights[p] < least else integer(0)
            largest = max(below, largest)
        least = largest
        for p in range(len(weights)):
            missing -= integer(weights[p] == largest)
        if missing <= 0 or largest <= 0:
            break
    # Those of no weight are not among them.
    least = max(least, integer(1))
    for p in range(len(weights)):
        weights[p] = weights[p] >= least


@njit  # pragma: no cover
def _rank(views, nodes):
    """Number the views of nodes 0, 1, ... as they occur."""
    names = np.empty(len(nodes), np.int64)
    ranks = np.empty(len(nodes), np.int64)
    number = 0
    for place, i in enumerate(nodes):
        rank = 0
        while rank < number and names[rank] != views[i]:
            rank += 1
        if rank == number:
            names[rank] = views[i]
            number += 1
        ranks[place] = rank
    return ranks, number
