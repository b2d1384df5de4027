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


def naive_covering(segments, regions, ignore=255):
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


def majority_map(segments, target):
    """Each segment's most frequent class; 255 without segment or class."""
    labels = np.full_like(target, 255)
    for segment in np.unique(segments[segments >= 0]):
        inside = (segments == segment) & (target != 255)
        if inside.any():
            labels[inside] = np.bincount(target[inside]).argmax()
    return labels


class TestCovering:

    def test_equals_naive_reference(self, rng, segments, renamed, target):
        covering = nf_covering(segments, target)
        assert covering == pytest.approx(
            naive_covering(segments, target), rel=1e-12)
        # Numbering does not matter, neither of segments nor of regions.
        regions = np.array([0, *(rng.permutation(4) + 40)])[target % 255]
        regions[target == 255] = 255
        assert nf_covering(renamed, regions) == covering

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
        """Whatever segments are in the background and at ignored pixels."""
        outside = (target == 0) | (target == 255)
        pixels = np.arange(1000, 1000 + target.size).reshape(target.shape)
        assert nf_covering(np.where(outside, pixels, target), target) == 1

    def test_nothing_to_cover_or_no_segments(self, segments, target):
        regions = np.zeros_like(segments)
        regions[0] = 255
        regions[1] = -3
        assert math.isnan(nf_covering(segments, regions))
        assert covering_sums(segments, regions) == (0, 0)
        assert nf_covering(np.full_like(target, -1), target) == 0


class TestRegionMIoU:

    def test_is_the_confusion_of_a_majority_labelling(self, segments, renamed,
                                                      target):
        """And its mIoU that of MMSegmentation."""
        confusion = region_miou(segments, target, 6)
        labels = majority_map(segments, target)
        counted = labels < 255
        expected = np.zeros((6, 6), dtype=np.int64)
        np.add.at(expected, (target[counted], labels[counted]), 1)
        np.testing.assert_array_equal(confusion, expected)
        assert confusion.dtype == np.int64
        np.testing.assert_array_equal(region_miou(renamed, target, 6),
                                      confusion)
        areas = IoUMetric.intersect_and_union(
            torch.tensor(labels), torch.tensor(np.where(counted, target, 255)),
            6, 255)
        reference = IoUMetric.total_area_to_metrics(*areas)
        assert mean_iou(confusion) == pytest.approx(
            np.nanmean(reference['IoU']), rel=1e-6)

    def test_pixels_as_segments_are_perfect(self, target):
        pixels = np.arange(target.size).reshape(target.shape)
        assert mean_iou(region_miou(pixels, target, 5)) == 1

    def test_everything_ignored(self, segments):
        confusion = region_miou(segments, np.full_like(segments, 255), 4)
        np.testing.assert_array_equal(confusion, np.zeros((4, 4)))
        assert math.isnan(mean_iou(confusion))


def test_areas_add_up(rng):
    """Counts are summed before the division: no mean of the images' mIoUs."""
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
