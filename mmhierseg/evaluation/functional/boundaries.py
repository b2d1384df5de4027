"""Boundaries of label maps, and their matches within a tolerance.

Matching is exact. The window around a boundary pixel is searched row by row:
bisection finds the first of the other map's boundary pixels, sorted by class,
row and column, that is not left of it. Runtime is proportional to boundaries
x tolerance, not to classes x pixels as with distance transforms.

Legend: H x W pixels, C classes, n boundary pixels.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .label_maps import LabelMap, as_label_maps, check_classes, check_regions

# Relative. A distance equal to the tolerance, which is rounded, is within it.
_ROUNDING = 1e-9


class BoundaryCounts(NamedTuple):
    """Numbers of boundary pixels of each class, each (C,) int64.

    The counts of a dataset are the sums of those of its images.
    """

    matched_pred: np.ndarray
    """Predicted pixels within the tolerance of a true one of the class."""
    pred: np.ndarray
    matched_target: np.ndarray
    """True pixels within the tolerance of a predicted one of the class."""
    target: np.ndarray


#: Labels, rows and columns of pixels, sorted by label, row and column.
_Points = tuple[np.ndarray, np.ndarray, np.ndarray]


def boundary_counts(pred: LabelMap,
                    target: LabelMap,
                    num_classes: int,
                    tolerance: float = 0.0075,
                    ignore_index: int = 255) -> BoundaryCounts:
    """Boundary pixels of each class and how many of them are matched.

    A pixel of class c is a boundary pixel of c if one of its four neighbours
    inside the image is not c. Pixels that the ground truth ignores count in
    neither map, nor do they make their neighbours boundary pixels. A pixel
    without a predicted class is no boundary pixel, but its neighbours are.

    Args:
        pred (np.ndarray | Tensor): Predicted classes, (H, W) integer in
            [0, C - 1], or ``ignore_index`` (unless it is a class) for no
            class; anything where ``target`` is ignored.
        target (np.ndarray | Tensor): True classes, (H, W) integer in
            [0, C - 1] or ``ignore_index``.
        num_classes (int): C.
        tolerance (float): Fraction of the image diagonal. Two pixels match
            if their Euclidean distance is at most this, or at most one pixel.
            Defaults to 0.0075.
        ignore_index (int): Defaults to 255.

    Returns:
        BoundaryCounts: Counts of each class.

    Example:
        >>> pred = np.array([[0, 0, 1, 1, 1, 1]])
        >>> target = np.array([[0, 0, 0, 0, 0, 1]])
        >>> boundary_counts(pred, target, num_classes=2).matched_pred
        array([0, 0])
        >>> boundary_counts(pred, target, 2, tolerance=0.5).matched_pred
        array([1, 1])
    """
    pred, target = as_label_maps(pred=pred, target=target)
    check_tolerance(tolerance)
    valid = target != ignore_index
    check_classes('target', target, valid, num_classes)
    has_class = valid
    if not 0 <= ignore_index < num_classes:
        has_class = valid & (pred != ignore_index)
    check_classes('pred', pred, has_class, num_classes)
    shape = target.shape
    radius = max(1., tolerance * math.hypot(*shape))
    squared = math.floor(radius**2 * (1 + _ROUNDING))
    # Half widths of the rows of a disc, from its middle out.
    widths = [
        math.isqrt(squared - dy**2) for dy in range(math.isqrt(squared) + 1)
    ]
    points = [
        _points(labels, is_boundary(labels, valid) & mask)
        for labels, mask in ((pred, has_class), (target, valid))
    ]
    counts = []
    for one, other in (points, points[::-1]):
        found = _is_near(one, other, shape, widths)
        counts += [
            np.bincount(labels, minlength=num_classes)
            for labels in (one[0][found], one[0])
        ]
    return BoundaryCounts(*counts)


def boundary_f_score(
    counts: BoundaryCounts
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F-score, precision and recall of each class from counts.

    F = 2PR / (P + R); 0 if the class has boundary pixels in either map but
    none is matched; NaN, which ``np.nanmean`` leaves out, if it has none.

    Args:
        counts (BoundaryCounts): Of an image, or sums over a dataset.

    Returns:
        tuple[np.ndarray, np.ndarray, np.ndarray]: F, precision and recall,
        (C,) float64 in [0, 1] or NaN.
    """
    matched_pred, pred, matched_target, target = counts
    occurs = pred + target > 0
    precision = np.where(occurs, matched_pred / np.maximum(pred, 1), np.nan)
    recall = np.where(occurs, matched_target / np.maximum(target, 1), np.nan)
    total = precision + recall
    f_score = 2 * precision * recall / np.where(total == 0, 1, total)
    return f_score, precision, recall


def boundary_recall(segments: LabelMap,
                    target: LabelMap,
                    tolerance: int = 2,
                    ignore_index: int = 255) -> float:
    """Fraction of the true boundary pixels with a segment boundary nearby.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
            Pixels without a segment are left out.
        target (np.ndarray | Tensor): Ids of the true regions, (H, W)
            integer, at least 0 or ``ignore_index``.
        tolerance (int): t; nearby means within a square of side 2t + 1
            around the pixel. Defaults to 2.
        ignore_index (int): Defaults to 255.

    Returns:
        float: In [0, 1]; NaN if there is no true boundary.

    Example:
        >>> segments = np.array([[0, 0, 1, 1, 1, 1]])
        >>> target = np.array([[0, 0, 0, 0, 0, 1]])
        >>> boundary_recall(segments, target)
        0.5
    """
    found, total = boundary_recall_counts(segments, target, tolerance,
                                          ignore_index)
    return found / total if total else math.nan


def boundary_recall_counts(segments: LabelMap,
                           target: LabelMap,
                           tolerance: int = 2,
                           ignore_index: int = 255) -> tuple[int, int]:
    """Numerator and denominator of :func:`boundary_recall`, same arguments.

    Returns:
        tuple[int, int]: Recalled true boundary pixels, and all.
    """
    true, made, shape = _all_boundaries(segments, target, tolerance,
                                        ignore_index)
    found = _is_near(true, made, shape, [tolerance] * (tolerance + 1))
    return int(found.sum()), found.size


def boundary_precision(segments: LabelMap,
                       target: LabelMap,
                       tolerance: int = 2,
                       ignore_index: int = 255) -> float:
    """Fraction of the segments' boundary pixels with a true one nearby.

    Args: see :func:`boundary_recall`.

    Returns:
        float: In [0, 1]; NaN if the segments have no boundary.

    Example:
        >>> segments = np.array([[0, 0, 1, 1, 1, 1]])
        >>> target = np.array([[0, 0, 0, 0, 0, 1]])
        >>> boundary_precision(segments, target)
        0.5
    """
    true, made, shape = _all_boundaries(segments, target, tolerance,
                                        ignore_index)
    found = _is_near(made, true, shape, [tolerance] * (tolerance + 1))
    return float(found.mean()) if found.size else math.nan


def check_tolerance(tolerance: float) -> None:
    """Check a tolerance, in pixels or a fraction of the diagonal."""
    if not 0 <= tolerance < math.inf:
        raise ValueError(
            f'`tolerance` must be finite and at least 0, got {tolerance}')


def is_boundary(labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mark the valid pixels with a valid neighbour of another label."""
    boundary = np.zeros(labels.shape, dtype=bool)
    for before, after in ((np.s_[:-1], np.s_[1:]),
                          (np.s_[:, :-1], np.s_[:, 1:])):
        differs = labels[before] != labels[after]
        differs &= valid[before] & valid[after]
        boundary[before] |= differs
        boundary[after] |= differs
    return boundary


def _all_boundaries(
        segments: LabelMap, target: LabelMap, tolerance: int,
        ignore_index: int) -> tuple[_Points, _Points, tuple[int, int]]:
    """Boundary pixels of the truth and of segments, and the maps' size.

    All have the same label: they match each other.
    """
    segments, target = as_label_maps(segments=segments, target=target)
    check_tolerance(tolerance)
    valid = target != ignore_index
    check_regions(target, valid)
    one_class = np.zeros_like(target)
    true = _points(one_class, is_boundary(target, valid))
    made = _points(one_class, is_boundary(segments, valid & (segments >= 0)))
    return true, made, target.shape


def _points(labels: np.ndarray, mask: np.ndarray) -> _Points:
    """List marked pixels by their label, row and column."""
    row, column = mask.nonzero()
    label = labels[mask]
    order = label.argsort(kind='stable')
    return label[order], row[order], column[order]


def _is_near(points: _Points, others: _Points, shape: tuple[int, int],
             widths: Sequence[int]) -> np.ndarray:
    """(n,) bool: which points have another of their label nearby."""
    height, width = shape
    found = np.zeros(len(points[0]), dtype=bool)
    label, row, column = others
    if not label.size:
        return found
    keys = (label * height + row) * width + column
    missing = np.flatnonzero(np.isin(points[0], np.unique(label)))
    for dy in sorted(range(1 - len(widths), len(widths)), key=abs):
        label, row, column = (values[missing] for values in points)
        start = (label * height + row + dy) * width
        reach = widths[abs(dy)]
        left = start + np.maximum(column - reach, 0)
        right = start + np.minimum(column + reach, width - 1)
        # The first that is not left of the window, if there is one.
        first = keys.take(keys.searchsorted(left), mode='clip')
        hit = (left <= first) & (first <= right)
        # Beyond the border, keys are those of another label.
        hit &= (row + dy >= 0) & (row + dy < height)
        found[missing[hit]] = True
        missing = missing[~hit]
    return found
