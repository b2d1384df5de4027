"""Merge trees: every number of segments, with a hierarchy's levels among them.

Legend: N_l segments at level l, level 0 the finest; C channels.
"""

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform


def merge_tree(parents: Sequence[np.ndarray],
               distances: Sequence[np.ndarray]) -> np.ndarray:
    """Merge segments one by one, through all levels of a hierarchy.

    Between two levels, the children of one parent are merged by average
    linkage; of all parents, the closest pair goes first. Last, the coarsest
    segments are merged until one is left.

    Args:
        parents (Sequence[np.ndarray]): Per step up, (N_l,) integers in
            [0, N_{l+1} - 1], each of them at least once.
        distances (Sequence[np.ndarray]): Per level, the coarsest included,
            (N_l, N_l) symmetric, at least 0.

    Returns:
        np.ndarray: (N_0 - 1, 4) float64, as SciPy's ``linkage`` returns it.
        Heights increase strictly; those in (l, l + 1] lead from level l to the
        next.

    Raises:
        ValueError: If shapes do not fit, or a segment has no child.

    Example:
        >>> distances = [abs(x[:, None] - x) for x in (
        ...     np.array([0., 1., 5., 9.]), np.array([0., 1.]))]
        >>> merge_tree([np.array([0, 0, 1, 1])], distances)
        array([[0. , 1. , 0.5, 2. ],
               [2. , 3. , 1. , 2. ],
               [4. , 5. , 2. , 4. ]])
    """
    _check(parents, distances)
    count = len(distances[0])
    nodes, sizes = np.arange(count), np.ones(count)
    rows: list[list[float]] = []
    roots = [*parents, np.zeros(len(distances[-1]), dtype=np.int64)]
    for level, (parent, distance) in enumerate(zip(roots, distances)):
        groups = [np.flatnonzero(parent == one)
                  for one in range(parent.max(initial=-1) + 1)]
        merges = [(height, one, i, int(left), int(right))
                  for one, group in enumerate(groups) if len(group) > 1
                  for i, (left, right, height, _) in enumerate(
                      linkage(_condensed(distance, group), 'average'))]
        found = [list(nodes[group]) for group in groups]
        weights = [list(sizes[group]) for group in groups]
        # Within a parent, a merge comes after those that it needs.
        for rank, (_, one, _, *pair) in enumerate(sorted(merges), 1):
            weights[one].append(sum(weights[one][i] for i in pair))
            rows.append([*sorted(found[one][i] for i in pair),
                         level + rank / len(merges), weights[one][-1]])
            found[one].append(count + len(rows) - 1)
        nodes = np.array([some[-1] for some in found])
        sizes = np.array([some[-1] for some in weights])
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def cut_tree(tree: np.ndarray, number: int) -> np.ndarray:
    """Group the leaves of a merge tree.

    Args:
        tree (np.ndarray): (N - 1, 4), as :func:`merge_tree` returns it.
        number (int): Number of groups, in [1, N].

    Returns:
        np.ndarray: (N,) int32 in [0, number - 1].
    """
    count = len(tree) + 1
    if not 1 <= number <= count:
        raise ValueError(f'`k` must lie in [1, {count}], the number of '
                         f'superpixels, got {number}')
    if count == 1:
        return np.zeros(1, np.int32)
    return fcluster(tree, number, 'maxclust').astype(np.int32) - 1


def token_distances(tokens: np.ndarray,
                    assignment: np.ndarray | None = None,
                    neighbours: np.ndarray | None = None) -> np.ndarray:
    """Distances of the segments of a level, for :func:`merge_tree`.

    1 minus the cosine of their tokens, plus the total variation between their
    soft assignments to the next level. Pairs that are no neighbours come after
    all others.

    Args:
        tokens (np.ndarray): (N, C) float.
        assignment (np.ndarray, optional): (N, K) float, rows sum to 1.
        neighbours (np.ndarray, optional): (N, N) bool.

    Returns:
        np.ndarray: (N, N) float64, symmetric, at least 0.
    """
    unit = tokens / np.maximum(
        np.linalg.norm(tokens, axis=1, keepdims=True), 1e-12)
    distance = np.maximum(1. - unit.astype(np.float64) @ unit.T, 0.)
    if assignment is not None:
        distance += np.abs(
            assignment[:, None] - assignment[None]).sum(2) / 2
    if neighbours is not None:
        distance += 4. * ~neighbours
    np.fill_diagonal(distance, 0.)
    return (distance + distance.T) / 2


def _condensed(distance: np.ndarray, group: np.ndarray) -> np.ndarray:
    return squareform(distance[np.ix_(group, group)], checks=False)


def _check(parents: Sequence[np.ndarray],
           distances: Sequence[np.ndarray]) -> None:
    if len(distances) != len(parents) + 1:
        raise ValueError('`distances` must have one level more than `parents`,'
                         f' got {len(distances)} and {len(parents)}')
    for level, distance in enumerate(distances):
        number = len(distance)
        if distance.shape != (number, number):
            raise ValueError(f'`distances[{level}]` must be square, got '
                             f'{distance.shape}')
        if level < len(parents) and (
                parents[level].shape != (number, ) or not np.array_equal(
                    np.unique(parents[level]),
                    np.arange(len(distances[level + 1])))):
            raise ValueError(
                f'`parents[{level}]` must name each of the '
                f'{len(distances[level + 1])} segments of the next level, for '
                f'{number} segments')
