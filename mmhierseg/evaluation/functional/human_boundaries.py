"""Boundaries of a segmentation against those of several people (BSDS500).

Legend: H x W pixels, A annotators.
"""

import math

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

from .boundaries import BoundaryCounts, check_tolerance, is_boundary
from .label_maps import LabelMap, as_label_maps

# Relative. A distance equal to the tolerance, which is rounded, is within it.
_ROUNDING = 1e-9


def segmentation_boundary_counts(segments: LabelMap,
                                 regions: LabelMap,
                                 tolerance: float = 0.0075,
                                 ignore_index: int = -1,
                                 one_to_one: bool = False) -> BoundaryCounts:
    """Boundary pixels of segments and of annotators, and their matches.

    A pixel is a boundary pixel if one of its four neighbours has another id
    (both sides of a boundary). A pixel of the segments is matched if it is
    with any annotator; those of the annotators are added up (Martin et al.,
    TPAMI 2004). F-score, precision and recall are those of
    :func:`boundary_f_score`.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer; pixels with a negative
            one form a segment of their own.
        regions (np.ndarray | Tensor): (H, W) or (A, H, W) integer.
        tolerance (float): Fraction of the image diagonal; pixels match if
            their Euclidean distance is at most this. Defaults to 0.0075.
        ignore_index (int): Pixels of ``regions`` to leave out. Defaults to
            -1.
        one_to_one (bool): Whether a pixel is matched with one other at most,
            so that as many as possible are, as in the benchmark of BSDS500
            (which among such matchings takes one of small distances).
            Otherwise it may match several: scores are higher, and a hundred
            times faster. Defaults to False.

    Returns:
        BoundaryCounts: Python ints. Those of a dataset are sums.

    Example:
        >>> segments = np.array([[0, 0, 0, 1, 1, 1]])
        >>> regions = np.array([[[0, 0, 0, 1, 1, 1]], [[0, 1, 1, 1, 1, 1]]])
        >>> counts = segmentation_boundary_counts(segments, regions)
        >>> counts.matched_pred, counts.pred
        (2, 2)
        >>> counts.matched_target, counts.target
        (2, 4)
    """
    check_tolerance(tolerance)
    regions = regions if getattr(regions, 'ndim', 2) == 3 else [regions]
    found = None
    matched_target = target = 0
    for one in regions:
        labels, truth = as_label_maps(segments=segments, regions=one)
        radius = tolerance * math.hypot(*truth.shape) * (1 + _ROUNDING)
        valid = truth != ignore_index
        true = is_boundary(truth, valid)
        made = is_boundary(np.maximum(labels, -1), np.ones_like(valid))
        match = _match_one_to_one if one_to_one else _match_near
        near_true, near_made = match(made, true, radius)
        # What an annotator does not see, the next one may.
        considered = made & valid
        if found is None:
            found, seen = near_true & considered, considered
        else:
            found, seen = found | (near_true & considered), seen | considered
        matched_target += int(near_made.sum())
        target += int(true.sum())
    if found is None:
        raise ValueError('`regions` must have at least one annotator')
    return BoundaryCounts(
        int(found.sum()), int(seen.sum()), matched_target, target)


def _match_near(made: np.ndarray, true: np.ndarray,
                radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each map that have one of the other within a radius."""
    reach = math.floor(radius)
    rows, columns = np.ogrid[-reach:reach + 1, -reach:reach + 1]
    disc = (rows**2 + columns**2 <= radius**2).astype(np.uint8)
    near = [cv2.dilate(mask.astype(np.uint8), disc) > 0
            for mask in (true, made)]
    return made & near[0], true & near[1]


def _match_one_to_one(made: np.ndarray, true: np.ndarray,
                      radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each map in a matching of as many as possible."""
    ours, others = np.argwhere(made), np.argwhere(true)
    result = np.zeros_like(made), np.zeros_like(true)
    if len(ours) and len(others):
        near = cKDTree(ours).sparse_distance_matrix(
            cKDTree(others), radius, output_type='coo_matrix')
        edges = csr_array(
            (np.ones(near.nnz, dtype=np.int8), (near.row, near.col)),
            (len(ours), len(others)))
        partner = maximum_bipartite_matching(edges, perm_type='column')
        result[0][tuple(ours[partner >= 0].T)] = True
        result[1][tuple(others[partner[partner >= 0]].T)] = True
    return result
