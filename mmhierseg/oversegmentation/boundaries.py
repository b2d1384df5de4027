"""Oriented watershed: the finest regions and the strength of their boundaries.

Arbelaez et al., "Contour Detection and Hierarchical Image Segmentation",
TPAMI 2011, section 4.1. The boundaries of the watershed of the contour
strength include some that leave a strong contour sideways and would inherit
its strength there. A boundary is therefore weighted by |cos| of the angle
between it and the contour. (The paper uses the response of an oriented
detector; ours give the strongest response and its direction.)

Legend: N regions; an *arc* is the boundary that two regions share; its
*elements* are the pixel sides between them.
"""

from typing import NamedTuple

import numpy as np

from .contours import ContourMap

#: Levels of strength that the watershed distinguishes; the rest is noise.
LEVELS = 255
#: Largest distance in pixels of an element from the line that approximates its
#: part of an arc. For a digital straight line it is below 1.
TOLERANCE = 1.
#: A line through fewer elements has no meaningful direction.
MIN_ELEMENTS = 3


class RegionGraph(NamedTuple):
    """Regions, and the arcs between neighbours."""

    labels: np.ndarray
    """(H, W) int32, 0..N-1, every one in use and connected."""
    arcs: np.ndarray
    """(A, 2) int64, the two regions of each arc, the smaller number first."""
    strengths: np.ndarray
    """(A,) float64, sum of the strengths of an arc's elements."""
    lengths: np.ndarray
    """(A,) int64, number of its elements."""


def oriented_watershed(contours: ContourMap) -> RegionGraph:
    """Finest regions between contours, and the strength of their boundaries.

    Example:
        >>> strength = np.zeros((4, 7), dtype=np.float32)
        >>> strength[:, 3] = 0.5
        >>> up = np.full_like(strength, np.pi / 2)
        >>> graph = oriented_watershed(ContourMap(strength, up))
        >>> graph.labels[0, [0, 1, 2, 4, 5, 6]], graph.arcs
        (array([0, 0, 0, 1, 1, 1], dtype=int32), array([[0, 1]]))
        >>> (graph.strengths / graph.lengths).round(1)
        array([0.5])
    """
    labels = _catchment_basins(contours.strength)
    arcs, arc_of, points, pixels = _elements(labels)
    lines = fit_lines(points, arc_of)
    strength, direction = (x.ravel()[pixels] for x in contours)
    aligned = np.abs(np.cos(direction - lines))
    # Without a direction, the strength counts in full.
    aligned[np.isnan(aligned)] = 1
    strengths = (strength * aligned).max(axis=0)
    return RegionGraph(
        labels, arcs, np.bincount(arc_of, strengths, minlength=len(arcs)),
        np.bincount(arc_of, minlength=len(arcs)))


def fit_lines(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Directions, (M,), of the lines that approximate curves of points (M, 2).

    A group of points that do not lie on a line is split in two, at its
    centroid across its main axis, until they do. NaN where a line has fewer
    than three points.
    """
    directions = np.full(len(points), np.nan)
    left = np.arange(len(points))
    while len(left):
        _, groups, counts = np.unique(
            groups, return_inverse=True, return_counts=True)
        groups = groups.reshape(-1)
        x, y = (column - (np.bincount(groups, column) / counts)[groups]
                for column in points[left].T)
        xx, xy, yy = (np.bincount(groups, column) / counts
                      for column in (x * x, x * y, y * y))
        angles = 0.5 * np.arctan2(2 * xy, xx - yy)
        cos, sin = np.cos(angles)[groups], np.sin(angles)[groups]
        farthest = np.zeros(len(counts))
        np.maximum.at(farthest, groups, np.abs(y * cos - x * sin))
        is_line = (farthest <= TOLERANCE) & (counts >= MIN_ELEMENTS)
        directions[left[is_line[groups]]] = angles[groups[is_line[groups]]]
        cut = ((farthest > TOLERANCE) & (counts > MIN_ELEMENTS))[groups]
        side = x * cos + y * sin > 0
        left, groups = left[cut], (2 * groups + side)[cut]
    return directions


def _catchment_basins(strength: np.ndarray) -> np.ndarray:
    """Regions of the watershed, (H, W) int32."""
    from skimage.measure import label
    from skimage.morphology import local_minima
    from skimage.segmentation import watershed
    levels = np.round(strength * LEVELS).astype(np.int32)
    if levels.min() == levels.max():
        return np.zeros(levels.shape, dtype=np.int32)
    # Minima that touch at a corner are one: otherwise the bottom of a valley
    # between slanting contours would be a region per step.
    minima = label(local_minima(levels, connectivity=2), connectivity=2)
    basins = watershed(levels, minima)
    # A stronger contour may have passed through such a corner.
    return label(basins, connectivity=1).astype(np.int32) - 1


def _elements(labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Arcs (A, 2); elements' arcs (M,), places (M, 2) and pixels (2, M)."""
    numbers = np.arange(labels.size).reshape(labels.shape)
    pairs, places = [], []
    for here, there, half in ((np.s_[:-1], np.s_[1:], (0, 0.5)),
                              (np.s_[:, :-1], np.s_[:, 1:], (0.5, 0))):
        differ = labels[here] != labels[there]
        pairs.append(np.stack([array[end][differ] for end in (here, there)
                               for array in (labels, numbers)]))
        y, x = np.nonzero(differ)
        places.append(np.stack((x, y), axis=1) + half)
    region, first, other, second = np.concatenate(pairs, axis=1)
    low, high = np.minimum(region, other), np.maximum(region, other)
    count = int(labels.max()) + 1
    keys, arc_of = np.unique(low * count + high, return_inverse=True)
    arcs = np.stack(np.divmod(keys, count), axis=1)
    return (arcs, arc_of.reshape(-1), np.concatenate(places),
            np.stack((first, second)))
