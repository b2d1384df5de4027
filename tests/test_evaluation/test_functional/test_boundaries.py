import math

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, maximum_filter

from mmhierseg.evaluation.functional import (
    BoundaryCounts,
    boundary_counts,
    boundary_f_score,
    boundary_recall,
    boundary_recall_counts,
)


def naive_boundary(labels, valid):
    """Pixels with a neighbour of another label, one by one."""
    height, width = labels.shape
    boundary = np.zeros(labels.shape, dtype=bool)
    for y, x in np.argwhere(valid):
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            v, u = y + dy, x + dx
            if 0 <= v < height and 0 <= u < width and valid[v, u]:
                boundary[y, x] |= labels[v, u] != labels[y, x]
    return boundary


def distance_to(mask):
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return distance_transform_edt(~mask)


def naive_counts(pred, target, num_classes, tolerance, ignore=255):
    """One distance transform for each class."""
    valid = target != ignore
    radius = max(1, tolerance * np.hypot(*pred.shape))
    boundaries = [naive_boundary(labels, valid) for labels in (pred, target)]
    columns = []
    for c in range(num_classes):
        ours, true = (
            boundary & (labels == c)
            for boundary, labels in zip(boundaries, (pred, target)))
        columns.append([(ours & (distance_to(true) <= radius)).sum(),
                        ours.sum(),
                        (true & (distance_to(ours) <= radius)).sum(),
                        true.sum()])
    return np.transpose(columns)


class TestCounts:

    @pytest.mark.parametrize('tolerance', [0, 0.0075, 0.03, 0.1, 3.])
    def test_equal_naive_reference(self, rng, pred, target, tolerance):
        # Some pixels have no predicted class.
        pred = np.where(rng.random(pred.shape) < 0.1, 255, pred)
        counts = boundary_counts(pred, target, 5, tolerance)
        np.testing.assert_array_equal(
            counts, naive_counts(pred, target, 5, tolerance))
        assert all(count.dtype == np.int64 for count in counts)
        np.testing.assert_array_equal(
            boundary_counts(pred.T, target.T, 5, tolerance), counts)

    def test_noise_and_an_ignored_class(self, rng):
        """Every pixel is a boundary; matches anywhere in the window."""
        pred, target = rng.integers(0, 30, (2, 23, 31))
        for ignored in (255, 0):
            counts = boundary_counts(pred, target, 30, 0.1, ignored)
            np.testing.assert_array_equal(
                counts, naive_counts(pred, target, 30, 0.1, ignored))
            assert 0 < counts.matched_pred.sum() < counts.pred.sum()
        # An ignored class can still be predicted.
        assert counts.pred[0] > 0

    def test_hand_computed(self):
        """A bar of 2 columns, predicted 2 columns too far to the right."""
        target = np.zeros((3, 9), dtype=int)
        target[:, 2:4] = 1
        pred = np.zeros((3, 9), dtype=int)
        pred[:, 4:6] = 1
        # Bar: columns 2, 3 true, 4, 5 predicted; rest: 1, 4 true and 3, 6
        # predicted. Within 1 pixel: 4 of 3, and 3 of 4.
        counts = boundary_counts(pred, target, 3)
        np.testing.assert_array_equal(counts, [[3, 3, 0], [6, 6, 0]] * 2)
        for value in boundary_f_score(counts):
            np.testing.assert_array_equal(value, [0.5, 0.5, np.nan])
        # Within 2 pixels (diagonal 9.49): all but 6, which is 2 from 4.
        np.testing.assert_array_equal(
            boundary_counts(pred, target, 3, 2 / math.hypot(3, 9)),
            [[6, 6, 0]] * 4)

    @pytest.mark.parametrize('size', [100, 300, 500, 700])
    def test_distance_equal_to_the_tolerance(self, size):
        """0.01 * sqrt(2) * size is the length of an offset of size/100."""
        pred, target = np.zeros((2, size, size), dtype=int)
        step = size // 100
        pred[50, 50] = target[50 + step, 50 - step] = 1
        assert boundary_counts(pred, target, 2, 0.01).matched_pred[1] == 1

    def test_numbering_of_classes_does_not_matter(self, rng, pred, target):
        order = rng.permutation(5)
        renamed = np.where(target == 255, 255, order[target % 255])
        counts = np.array(boundary_counts(order[pred], renamed, 7))
        expected = np.array(boundary_counts(pred, target, 5))
        np.testing.assert_array_equal(counts[:, order], expected)
        assert not counts[:, 5:].any()

    def test_ignored_pixels_make_no_boundary(self, rng):
        target = np.zeros((6, 8), dtype=int)
        target[:, 3] = 255
        # Predictions there may be anything, and the two sides do not touch.
        pred = np.where(target == 255, rng.integers(-9, 300, (6, 8)), target)
        assert not np.any(boundary_counts(pred, target, 2))
        target[:, 4:] = 1
        assert not np.any(boundary_counts(target, target, 2))

    @pytest.mark.parametrize('shape', [(0, 0), (0, 4), (1, 1), (1, 5)])
    def test_maps_without_boundary(self, shape):
        labels = np.zeros(shape, dtype=int)
        counts = boundary_counts(labels, labels, 2)
        np.testing.assert_array_equal(counts, np.zeros((4, 2)))
        assert np.isnan(boundary_f_score(counts)[0]).all()

    def test_bad_input(self):
        labels = np.zeros((2, 3), dtype=int)
        for tolerance in (-0.1, math.inf, math.nan):
            with pytest.raises(ValueError, match='`tolerance` .*got'):
                boundary_counts(labels, labels, 2, tolerance)
        for label in (2, -1):
            with pytest.raises(ValueError,
                               match=rf'`pred` .*\[0, 1\].* got {label}'):
                boundary_counts(labels + label, labels, 2)


def test_f_score():
    """0 if a class has a boundary in one map only."""
    zero, one = np.zeros(1, dtype=int), np.ones(1, dtype=int)
    for counts, expected in [((zero, one, zero, zero), (0, 0, 0)),
                             ((zero, zero, zero, one), (0, 0, 0)),
                             ((one, 4 * one, 3 * one, 4 * one),
                              (0.375, 0.25, 0.75))]:
        assert boundary_f_score(BoundaryCounts(*counts)) == expected


class TestRecall:

    @pytest.mark.parametrize('tolerance', [0, 1, 5, 100])
    def test_equals_filter(self, segments, renamed, target, tolerance):
        valid = target != 255
        true = naive_boundary(target, valid)
        made = naive_boundary(segments, valid & (segments >= 0))
        near = maximum_filter(
            made, 2 * tolerance + 1, mode='constant', cval=False)
        counts = (near & true).sum(), true.sum()
        assert boundary_recall_counts(segments, target, tolerance) == counts
        assert boundary_recall(
            renamed, target, tolerance) == counts[0] / counts[1]

    def test_nothing_to_recall_or_no_segments(self, segments, target):
        flat = np.zeros_like(segments)
        assert math.isnan(boundary_recall(segments, flat))
        assert math.isnan(boundary_recall(segments, flat + 255))
        assert boundary_recall(flat - 1, target) == 0

    def test_bad_tolerance(self):
        labels = np.zeros((2, 3), dtype=int)
        with pytest.raises(ValueError, match='`tolerance` .*got -1'):
            boundary_recall(labels, labels, -1)
        for wrong in (2., True, None):
            with pytest.raises(TypeError, match=f'`tolerance` .*got {wrong}'):
                boundary_recall(labels, labels, wrong)
