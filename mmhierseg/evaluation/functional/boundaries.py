"""Boundaries of labels, and how near those of two maps come to each other.

Matching is exact. A boundary pixel is sought row by row: of the other map's
boundary pixels, sorted by class, row and column, the first that does not lie
left of the window is found by bisection. The work grows with the length of
the boundaries and with the tolerance, not with classes x pixels, as that of
one distance transform per class does.

Legend: H x W pixels, C classes, n boundary pixels.
"""

import math
from numbers import Real
from typing import NamedTuple, Sequence, Tuple

import numpy as np

from .label_maps import LabelMap, as_label_maps, check_classes, check_regions

__all__ = [
    'BoundaryCounts', 'boundary_counts', 'boundary_f_score',
    'boundary_recall', 'boundary_recall_counts'
]

# Relative. A distance that equals the tolerance is within it, also where the
# tolerance, a product with a square root, is rounded down.
_ROUNDING = 1e-9


class BoundaryCounts(NamedTuple):
    """Numbers of boundary pixels of each class, each (C,) int64.

    Those of a data set are the sums of those of its images.
    """

    matched_pred: np.ndarray
    """Predicted ones within the tolerance of a true one of the class."""
    pred: np.ndarray
    """Predicted ones."""
    matched_target: np.ndarray
    """True ones within the tolerance of a predicted one of the class."""
    target: np.ndarray
    """True ones."""


class _Points(NamedTuple):
    """Pixels with a class, in rising order of their keys."""

    label: np.ndarray
    row: np.ndarray
    column: np.ndarray


def boundary_counts(pred: LabelMap,
                    target: LabelMap,
                    num_classes: int,
                    tolerance: float = 0.0075,
                    ignore_index: int = 255) -> BoundaryCounts:
    """Boundary pixels of each class and how many of them are matched.

    A pixel of class c is a boundary pixel of c if one of its four neighbours
    inside the image is not c. Ignored pixels, in both maps, are neither
    boundary nor make their neighbours one. A pixel to which no class was
    predicted is no boundary pixel, but its neighbours' class ends there.

    Args:
        pred (np.ndarray | Tensor): Predicted classes, (H, W) integer in
            [0, C - 1], or ``ignore_index`` (if that is none of them): no
            class; anything where ``target`` is ignored.
        target (np.ndarray | Tensor): True classes, (H, W) integer in
            [0, C - 1] or ``ignore_index``.
        num_classes (int): C.
        tolerance (float): Share of the image diagonal. Two pixels match if
            their Euclidean distance is at most that, or at most one pixel.
            Defaults to 0.0075.
        ignore_index (int): Label of pixels that are left out.
            Defaults to 255.

    Returns:
        BoundaryCounts: Four times (C,) int64.

    Raises:
        TypeError: If a map is no array or tensor of integers.
        ValueError: If shapes differ, a label is no class, or the tolerance
            is negative or not finite.

    Example:
        >>> pred = np.array([[0, 0, 1, 1, 1, 1]])
        >>> target = np.array([[0, 0, 0, 0, 0, 1]])
        >>> boundary_counts(pred, target, num_classes=2).pred
        array([1, 1])
        >>> boundary_counts(pred, target, num_classes=2).matched_pred
        array([0, 0])
        >>> boundary_counts(pred, target, 2, tolerance=0.5).matched_pred
        array([1, 1])
    """
    pred, target = as_label_maps(pred=pred, target=target)
    check_share('tolerance', tolerance)
    valid = target != ignore_index
    check_classes('target', target, valid, num_classes)
    has_class = valid
    if not 0 <= ignore_index < num_classes:
        has_class = valid & (pred != ignore_index)
    check_classes('pred', pred, has_class, num_classes)
    shape = target.shape
    widths = _disc(max(1., tolerance * math.hypot(*shape)))
    points = [
        _points(labels, _is_boundary(labels, valid) & mask)
        for labels, mask in ((pred, has_class), (target, valid))
    ]
    counts = []
    for one, other in (points, points[::-1]):
        found = _is_near(one, other, shape, widths)
        counts += [
            np.bincount(labels, minlength=num_classes)
            for labels in (one.label[found], one.label)
        ]
    return BoundaryCounts(*counts)


def boundary_f_score(
    counts: BoundaryCounts
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F-score, precision and recall of each class from counts.

    F = 2PR / (P + R); 0 where the class has boundary pixels but none is
    matched, in the prediction or in the truth alone too. A class without
    boundary pixels in both is NaN: ``np.nanmean`` leaves it out.

    Args:
        counts (BoundaryCounts): Of an image, or sums over a data set.

    Returns:
        tuple[np.ndarray, np.ndarray, np.ndarray]: F, precision and recall,
        (C,) float64 in [0, 1] or NaN.

    Example:
        >>> one = np.array([1])
        >>> boundary_f_score(BoundaryCounts(one, 2 * one, one, one))[0]
        array([0.66666667])
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
    """Share of the true boundary pixels with a segment boundary nearby.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
            Pixels without a segment are no boundary and make none.
        target (np.ndarray | Tensor): Ids of the true regions, (H, W)
            integer, at least 0 or ``ignore_index``.
        tolerance (int): t: nearby means in the square of 2t + 1 pixels
            around the pixel. Defaults to 2.
        ignore_index (int): Id of pixels that are left out. Defaults to 255.

    Returns:
        float: In [0, 1]; NaN if there is no true boundary.

    Raises:
        TypeError: If a map is no array or tensor of integers, or
            ``tolerance`` no integer.
        ValueError: If shapes differ or a value is out of its range.

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
                           ignore_index: int = 255) -> Tuple[int, int]:
    """Numerator and denominator of :func:`boundary_recall`.

    Args:
        segments (np.ndarray | Tensor): As there.
        target (np.ndarray | Tensor): As there.
        tolerance (int): As there. Defaults to 2.
        ignore_index (int): As there. Defaults to 255.

    Returns:
        tuple[int, int]: Recalled true boundary pixels, and all.

    Raises:
        TypeError: As there.
        ValueError: As there.
    """
    segments, target = as_label_maps(segments=segments, target=target)
    check_pixels('tolerance', tolerance)
    valid = target != ignore_index
    check_regions(target, valid)
    # Whatever its label: all boundary pixels are of one class.
    one_class = np.zeros_like(target)
    true = _points(one_class, _is_boundary(target, valid))
    made = _points(one_class,
                   _is_boundary(segments, valid & (segments >= 0)))
    found = _is_near(true, made, target.shape,
                     [tolerance] * (tolerance + 1))
    return int(found.sum()), found.size


def check_share(name: str, value: float) -> None:
    """Check a tolerance that is a share of the diagonal.

    Args:
        name (str): Name of the argument, for the message.
        value (float): To be at least 0.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is negative or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'`{name}` must be a number, got {value!r}')
    if not 0 <= value < math.inf:
        raise ValueError(f'`{name}` must be a share of the diagonal, at '
                         f'least 0, got {value}')


def check_pixels(name: str, value: int) -> None:
    """Check a tolerance that is a number of pixels.

    Args:
        name (str): Name of the argument, for the message.
        value (int): To be at least 0.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is negative.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f'`{name}` must be a number of pixels, an integer, '
                        f'got {value!r}')
    if value < 0:
        raise ValueError(f'`{name}` must be at least 0, got {value}')


def _is_boundary(labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mark the valid pixels with a valid neighbour of another label."""
    boundary = np.zeros(labels.shape, dtype=bool)
    for before, after in ((np.s_[:-1], np.s_[1:]),
                          (np.s_[:, :-1], np.s_[:, 1:])):
        differs = labels[before] != labels[after]
        differs &= valid[before] & valid[after]
        boundary[before] |= differs
        boundary[after] |= differs
    return boundary


def _points(labels: np.ndarray, mask: np.ndarray) -> _Points:
    """List marked pixels by their label, row and column."""
    row, column = mask.nonzero()
    label = labels[mask]
    order = label.argsort(kind='stable')
    return _Points(label[order], row[order], column[order])


def _disc(radius: float) -> Sequence[int]:
    """Half widths of the rows of a disc, from its middle outwards."""
    squared = math.floor(radius**2 * (1 + _ROUNDING))
    return [
        math.isqrt(squared - dy**2) for dy in range(math.isqrt(squared) + 1)
    ]


def _is_near(points: _Points, others: _Points, shape: Tuple[int, int],
             widths: Sequence[int]) -> np.ndarray:
    """Tell which points have one of the others, of their class, nearby.

    Args:
        points (_Points): n points.
        others (_Points): What to look for.
        shape (tuple[int, int]): (H, W).
        widths (Sequence[int]): Half widths of the rows of the window, from
            its middle outwards.

    Returns:
        np.ndarray: (n,) bool.
    """
    height, width = shape
    found = np.zeros(points.label.size, dtype=bool)
    if not others.label.size:
        return found
    keys = (others.label * height + others.row) * width + others.column
    missing = np.flatnonzero(np.isin(points.label, np.unique(others.label)))
    for dy in sorted(range(1 - len(widths), len(widths)), key=abs):
        label, row, column = (values[missing] for values in points)
        start = (label * height + row + dy) * width
        reach = widths[abs(dy)]
        left = start + np.maximum(column - reach, 0)
        right = start + np.minimum(column + reach, width - 1)
        # Not left of the window; `mode` for those right of everything.
        first = keys.take(keys.searchsorted(left), mode='clip')
        hit = (left <= first) & (first <= right)
        # Beyond the border, the keys are those of another class.
        hit &= (row + dy >= 0) & (row + dy < height)
        found[missing[hit]] = True
        missing = missing[~hit]
    return found
