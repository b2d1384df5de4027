import math

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from mmhierseg.evaluation.functional import (
    class_areas,
    covering_sums,
    mean_iou,
    mean_iou_of_areas,
    nf_covering,
    region_miou,
)


def covering_by_loops(segments, regions, ignore=255):
    valid = regions != ignore
    best = []
    for region in np.unique(regions[valid]):
        if region <= 0:
            continue
        inside = regions == region
        ious = [0]
        for segment in np.unique(segments[segments >= 0]):
            covered = (segments == segment) & valid
            ious.append((inside & covered).sum() / (inside | covered).sum())
        best.append(max(ious))
    return np.mean(best)


def confusion_by_loops(segments, target, num_classes, ignore=255):
    confusion = np.zeros((num_classes, num_classes), dtype=int)
    for segment in np.unique(segments[segments >= 0]):
        inside = (segments == segment) & (target != ignore)
        if inside.any():
            counts = np.bincount(target[inside], minlength=num_classes)
            confusion[:, counts.argmax()] += counts
    return confusion


class TestCovering:

    def test_equals_that_by_loops(self, segments, target):
        assert nf_covering(segments, target) == pytest.approx(
            covering_by_loops(segments, target), rel=1e-12)

    def test_hand_computed(self):
        regions = np.array([[1, 1, 1, 1, 0, 0],
                            [1, 1, 255, 0, 3, 3]])
        segments = np.array([[5, 5, 5, 2, 2, 2],
                             [5, 5, 5, 2, -1, 2]])
        # Region 1, 6 pixels: segment 5 has 5 of them, and one that is
        # ignored: 5 / 6. Region 3: one pixel in segment 2 of 5 pixels, one
        # in none: 1 / (2 + 5 - 1).
        assert nf_covering(segments, regions) == pytest.approx(
            (5 / 6 + 1 / 6) / 2, rel=1e-12)
        assert covering_sums(segments, regions) == (pytest.approx(1), 2)

    def test_perfect(self, target):
        assert nf_covering(target, target) == 1
        # What segments do in the background and beneath ignored pixels does
        # not matter.
        outside = (target == 0) | (target == 255)
        segments = np.where(outside, np.arange(target.size).reshape(
            target.shape) + 1000, target)
        assert nf_covering(segments, target) == 1

    def test_does_not_depend_on_numbers(self, rng, segments, target):
        order = rng.permutation(segments.max() + 1) * 10**9
        renamed = np.where(segments < 0, -9, order[segments])
        regions = np.array([0, *(rng.permutation(4) + 40)])[target % 255]
        regions[target == 255] = 255
        assert nf_covering(renamed, regions) == nf_covering(segments, target)

    def test_without_foreground(self, segments):
        regions = np.zeros_like(segments)
        regions[0] = 255
        regions[1] = -3
        assert math.isnan(nf_covering(segments, regions))
        assert covering_sums(segments, regions) == (0, 0)

    def test_without_segments(self, target):
        assert nf_covering(np.full_like(target, -1), target) == 0


class TestRegionMIoU:

    def test_equals_that_by_loops(self, segments, target):
        confusion = region_miou(segments, target, 6)
        np.testing.assert_array_equal(
            confusion, confusion_by_loops(segments, target, 6))
        assert confusion.dtype == np.int64
        assert confusion.sum() == ((target != 255) & (segments >= 0)).sum()

    def test_hand_computed(self):
        target = np.array([[2, 2, 1, 1, 1, 255],
                           [0, 0, 0, 2, 2, 255]])
        segments = np.array([[7, 7, 7, 7, 3, 3],
                             [0, 0, 0, 0, -1, 3]])
        # 7 has 2 pixels of classes 1 and 2 each: 1. 3 is 1, 0 is 0.
        confusion = region_miou(segments, target, 3)
        np.testing.assert_array_equal(confusion,
                                      [[3, 0, 0], [0, 3, 0], [1, 2, 0]])
        # 3 / 4, 3 / 5, 0 / 3.
        assert mean_iou(confusion) == pytest.approx((0.75 + 0.6) / 3)

    def test_agrees_with_mmsegmentation(self, segments, target):
        """Its mIoU of the map in which segments have their majority."""
        target[segments < 0] = 255
        labels = np.zeros_like(target)
        for segment in np.unique(segments):
            inside = (segments == segment) & (target != 255)
            if inside.any():
                labels[inside] = np.bincount(target[inside]).argmax()
        areas = IoUMetric.intersect_and_union(
            torch.tensor(labels), torch.tensor(target), 5, 255)
        wanted = IoUMetric.total_area_to_metrics(*areas)
        assert mean_iou(region_miou(segments, target, 5)) == pytest.approx(
            np.nanmean(wanted['IoU']), rel=1e-6)

    def test_pixels_as_segments_are_perfect(self, target):
        pixels = np.arange(target.size).reshape(target.shape)
        confusion = region_miou(pixels, target, 5)
        np.testing.assert_array_equal(confusion, np.diag(confusion.diagonal()))
        assert mean_iou(confusion) == 1

    def test_does_not_depend_on_numbers(self, rng, segments, target):
        order = rng.permutation(segments.max() + 1) * 10**9
        renamed = np.where(segments < 0, -9, order[segments])
        np.testing.assert_array_equal(
            region_miou(renamed, target, 5), region_miou(segments, target, 5))

    def test_nothing_left(self, segments):
        confusion = region_miou(segments, np.full_like(segments, 255), 4)
        np.testing.assert_array_equal(confusion, np.zeros((4, 4)))
        assert math.isnan(mean_iou(confusion))


def test_areas_add_up(rng):
    """Counts first, division last: not the mean of the images' mIoUs."""
    matrices = rng.integers(0, 50, (3, 4, 4))
    # The last class does not occur.
    matrices[:, 3] = matrices[:, :, 3] = 0
    summed = sum(class_areas(matrix) for matrix in matrices)
    total = matrices.sum(0)
    assert mean_iou_of_areas(summed) == mean_iou(total)
    ious = [
        total[c, c] / (total[c].sum() + total[:, c].sum() - total[c, c])
        for c in range(3)
    ]
    assert mean_iou(total) == pytest.approx(np.mean(ious), rel=1e-12)
    assert mean_iou(total) != pytest.approx(
        np.mean([mean_iou(matrix) for matrix in matrices]), rel=1e-6)
