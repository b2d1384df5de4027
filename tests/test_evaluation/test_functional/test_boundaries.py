import math
import time

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


def boundary_by_loops(labels, valid):
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


def counts_by_distances(pred, target, num_classes, tolerance, ignore=255):
    """A distance transform for each class."""
    valid = target != ignore
    radius = max(1, tolerance * np.hypot(*pred.shape))
    columns = []
    for c in range(num_classes):
        ours, true = (
            boundary_by_loops(labels, valid) & (labels == c)
            for labels in (pred, target))
        columns.append([(ours & (distance_to(true) <= radius)).sum(),
                        ours.sum(),
                        (true & (distance_to(ours) <= radius)).sum(),
                        true.sum()])
    return np.transpose(columns)


class TestCounts:

    @pytest.mark.parametrize('tolerance', [0, 0.0075, 0.03, 0.1, 3.])
    def test_equal_those_by_distance_transforms(self, pred, target,
                                                tolerance):
        counts = boundary_counts(pred, target, 5, tolerance)
        wanted = counts_by_distances(pred, target, 5, tolerance)
        np.testing.assert_array_equal(counts, wanted)
        assert all(count.dtype == np.int64 for count in counts)

    def test_noise(self, rng):
        """Every pixel a boundary, matches at all places of the window."""
        pred, target = rng.integers(0, 30, (2, 23, 31))
        counts = boundary_counts(pred, target, 30, 0.1)
        np.testing.assert_array_equal(
            counts, counts_by_distances(pred, target, 30, 0.1))
        assert 0 < counts.matched_pred.sum() < counts.pred.sum()

    def test_hand_computed(self):
        """A bar of 2 columns, predicted 2 columns too far to the right."""
        target = np.zeros((3, 9), dtype=int)
        target[:, 2:4] = 1
        pred = np.zeros((3, 9), dtype=int)
        pred[:, 4:6] = 1
        # Bar: columns 2, 3 true, 4, 5 predicted; rest: 1, 4 true and 3, 6
        # predicted. Within 1 pixel: 4 of 3, and 3 of 4.
        counts = boundary_counts(pred, target, 3)
        np.testing.assert_array_equal(counts,
                                      [[3, 3, 0], [6, 6, 0]] * 2)
        f_score, precision, recall = boundary_f_score(counts)
        np.testing.assert_array_equal(f_score, [0.5, 0.5, np.nan])
        np.testing.assert_array_equal(precision, [0.5, 0.5, np.nan])
        np.testing.assert_array_equal(recall, [0.5, 0.5, np.nan])
        # Within 2 pixels (diagonal 9.49): all but 6, which is 2 from 4.
        np.testing.assert_array_equal(
            boundary_counts(pred, target, 3, 2 / math.hypot(3, 9)),
            [[6, 6, 0]] * 4)

    def test_distance_is_euclidean(self):
        """(3, 4) is within 5, (4, 4) is not."""
        for offset, hits in (((3, 4), 1), ((4, 4), 0), ((5, 0), 1),
                             ((0, 6), 0)):
            pred, target = np.zeros((2, 30, 40), dtype=int)
            pred[10, 10] = target[10 + offset[0], 10 + offset[1]] = 1
            # 0.1 times the diagonal, 50, is 5.
            counts = boundary_counts(pred, target, 2, 0.1)
            assert counts.matched_pred[1] == counts.matched_target[1] == hits
            assert counts.pred[1] == counts.target[1] == 1

    @pytest.mark.parametrize('size', [100, 300, 500, 700])
    def test_distance_that_equals_the_tolerance(self, size):
        """0.01 * sqrt(2) * size is the length of an offset of size/100."""
        pred, target = np.zeros((2, size, size), dtype=int)
        step = size // 100
        pred[50, 50] = target[50 + step, 50 - step] = 1
        assert boundary_counts(pred, target, 2, 0.01).matched_pred[1] == 1

    def test_windows_end_at_the_border(self):
        """The end of a row is far from the start of the next one."""
        pred, target = np.zeros((2, 12, 30), dtype=int)
        pred[5, 29] = target[6, 0] = 1
        pred[0, 15] = target[11, 15] = 2
        counts = boundary_counts(pred, target, 3, 0.1)
        assert counts.matched_pred[1:].tolist() == [0, 0]
        assert counts.matched_target[1:].tolist() == [0, 0]

    def test_perfect(self, target):
        counts = boundary_counts(np.where(target == 255, 0, target), target,
                                 5)
        assert counts.target.sum() > 50
        f_score, _, _ = boundary_f_score(counts)
        np.testing.assert_array_equal(f_score[counts.target > 0], 1)

    def test_other_numbers_of_classes(self, rng, pred, target):
        order = rng.permutation(5)
        renamed = np.where(target == 255, 255, order[target % 255])
        counts = boundary_counts(order[pred], renamed, 7)
        wanted = np.array(boundary_counts(pred, target, 5))
        np.testing.assert_array_equal(np.array(counts)[:, order], wanted)
        assert not np.any(np.array(counts)[:, 5:])

    def test_transposed(self, pred, target):
        np.testing.assert_array_equal(
            boundary_counts(pred.T, target.T, 5, 0.05),
            boundary_counts(pred, target, 5, 0.05))

    def test_ignored_pixels_make_no_boundary(self, rng):
        target = np.zeros((6, 8), dtype=int)
        target[:, 3] = 255
        # What is predicted there, a class that there is not included, and
        # what lies beyond a wall of ignored pixels, is not looked at.
        pred = np.where(target == 255, rng.integers(-9, 300, (6, 8)), target)
        assert not np.any(boundary_counts(pred, target, 2))
        target[:, 4:] = 1
        assert not np.any(boundary_counts(target, target, 2))

    def test_pixels_without_a_predicted_class(self, rng, pred, target):
        """As one more class, which nothing is counted of."""
        pred = np.where(rng.random(pred.shape) < 0.1, 255, pred)
        assert np.any((pred == 255) & (target != 255))
        np.testing.assert_array_equal(
            boundary_counts(pred, target, 5, 0.05),
            counts_by_distances(pred, target, 5, 0.05))
        nothing = np.full_like(target, 255)
        counts = boundary_counts(nothing, target, 5)
        assert counts.target.any() and not counts.pred.any()

    def test_class_zero_that_is_ignored(self, pred, target):
        """It can be predicted all the same, and counts then."""
        counts = boundary_counts(pred, target, 256, 0.05, ignore_index=0)
        wanted = counts_by_distances(pred, target, 256, 0.05, ignore=0)
        np.testing.assert_array_equal(counts, wanted)
        assert counts.pred[0] > 0

    @pytest.mark.parametrize('shape', [(0, 0), (0, 4), (1, 1), (1, 5)])
    def test_maps_without_boundary(self, shape):
        labels = np.zeros(shape, dtype=int)
        counts = boundary_counts(labels, labels, 2)
        np.testing.assert_array_equal(counts, np.zeros((4, 2)))
        assert np.isnan(boundary_f_score(counts)[0]).all()

    @pytest.mark.parametrize('tolerance', [-0.1, math.inf, math.nan])
    def test_tolerance(self, tolerance):
        labels = np.zeros((2, 3), dtype=int)
        with pytest.raises(ValueError, match='`tolerance` .*got'):
            boundary_counts(labels, labels, 2, tolerance)

    def test_predictions_beyond_the_classes(self):
        labels = np.zeros((2, 3), dtype=int)
        with pytest.raises(ValueError, match=r'`pred` .*\[0, 1\].* got 2'):
            boundary_counts(labels + 2, labels, 2)
        with pytest.raises(ValueError, match=r'`pred` .*\[0, 1\].* got -1'):
            boundary_counts(labels - 1, labels, 2)

    def test_is_fast(self):
        """Cityscapes' size and classes; a tenth of a second when written."""
        rng = np.random.default_rng(0)
        target = np.kron(rng.integers(0, 19, (32, 64)),
                         np.ones((32, 32), dtype=int))
        pred = np.roll(target, 7, axis=1)
        start = time.process_time()
        counts = boundary_counts(pred, target, 19)
        assert time.process_time() - start < 2
        assert counts.target.sum() > 1e5


class TestFScore:

    def test_is_one_sided(self):
        """In the prediction alone or the truth alone: 0, not left out."""
        zero, some = np.zeros(1, dtype=int), np.ones(1, dtype=int)
        for counts in ((zero, some, zero, zero), (zero, zero, zero, some)):
            for values in boundary_f_score(BoundaryCounts(*counts)):
                assert values == 0

    def test_harmonic_mean(self):
        counts = BoundaryCounts(*np.array([[1], [4], [3], [4]]))
        f_score, precision, recall = boundary_f_score(counts)
        assert (precision, recall, f_score) == (0.25, 0.75, 0.375)


class TestRecall:

    @pytest.mark.parametrize('tolerance', [0, 1, 2, 5, 100])
    def test_equals_that_by_a_filter(self, segments, target, tolerance):
        valid = target != 255
        true = boundary_by_loops(target, valid)
        made = boundary_by_loops(segments, valid & (segments >= 0))
        size = 2 * tolerance + 1
        near = maximum_filter(made, size, mode='constant', cval=False)
        assert boundary_recall_counts(segments, target, tolerance) == (
            (near & true).sum(), true.sum())
        assert boundary_recall(segments, target, tolerance) == (
            near & true).sum() / true.sum()

    def test_hand_computed(self):
        """The window is a square: its corner counts."""
        target, segments = np.zeros((2, 20, 30), dtype=int)
        # A pixel and its 4 neighbours are the boundary, in both.
        target[9, 9] = 4
        segments[12, 12] = 4
        # (12, 11) is (3, 2) away from (9, 9) but (2, 2) from (10, 9), and
        # (11, 12) is (2, 2) away from (9, 10). (8, 9) and (9, 8) are 3 off.
        assert boundary_recall_counts(segments, target) == (2, 5)
        assert boundary_recall_counts(segments, target, 3) == (5, 5)

    def test_perfect(self, target):
        assert boundary_recall(target, target, tolerance=0) == 1

    def test_does_not_depend_on_numbers(self, rng, segments, target):
        order = rng.permutation(segments.max() + 1)
        renamed = np.where(segments < 0, -9, order[segments])
        assert boundary_recall(renamed, target) == boundary_recall(
            segments, target)

    def test_nothing_to_recall(self, segments):
        target = np.zeros_like(segments)
        assert math.isnan(boundary_recall(segments, target))
        assert math.isnan(boundary_recall(segments, target + 255))

    def test_without_segments(self, target):
        assert boundary_recall(np.full_like(target, -1), target) == 0

    def test_tolerance(self):
        labels = np.zeros((2, 3), dtype=int)
        with pytest.raises(ValueError, match='`tolerance` .*got -1'):
            boundary_recall(labels, labels, -1)
        for wrong in (2., True, None):
            with pytest.raises(TypeError, match=f'`tolerance` .*got {wrong}'):
                boundary_recall(labels, labels, wrong)
