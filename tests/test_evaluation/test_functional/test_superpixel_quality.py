import math

import numpy as np
import pytest
import torch

from mmhierseg.evaluation.functional import (
    achievable_segmentation_accuracy,
    boundary_recall,
    explained_variation,
    undersegmentation_error,
)


def masks(labels, valid):
    return [(labels == i) & valid for i in np.unique(labels[valid])]


def naive_accuracy(segments, target, ignore=255):
    valid = target != ignore
    right = sum(
        max((region & segment).sum() for region in masks(target, valid))
        for segment in masks(segments, valid & (segments >= 0)))
    return right / valid.sum()


def naive_error(segments, target, ignore=255):
    valid = target != ignore
    leak = 0
    for region in masks(target, valid):
        for segment in masks(segments, valid & (segments >= 0)):
            if (region & segment).any():
                leak += min((region & segment).sum(),
                            (segment & ~region).sum())
    return leak / valid.sum()


def naive_variation(segments, image):
    """For an image (H, W, C)."""
    mask = segments >= 0
    mean = image[mask].mean(0)
    between = sum(
        segment.sum() * ((image[segment].mean(0) - mean)**2).sum()
        for segment in masks(segments, mask))
    return between / ((image[mask] - mean)**2).sum()


MEASURES = {
    achievable_segmentation_accuracy: naive_accuracy,
    undersegmentation_error: naive_error
}


@pytest.mark.parametrize('measure', MEASURES)
def test_equal_naive_reference(measure, segments, renamed, target):
    assert measure(segments, target) == MEASURES[measure](segments, target)
    assert measure(renamed, target) == measure(segments, target)
    assert math.isnan(measure(segments, np.full_like(segments, 255)))
    # Pixels without a segment are neither right nor leak.
    assert measure(np.full_like(segments, -1), np.zeros_like(segments)) == 0


def test_hand_computed():
    target = np.array([[0, 0, 1, 1, 1, 255],
                       [0, 0, 0, 1, 2, 2]])
    segments = np.array([[5, 5, 5, 5, 9, 9],
                         [5, 5, 5, 5, 9, -1]])
    # 11 pixels. Segment 5: 5 of region 0, 3 of 1. Segment 9: one of 1 and 2.
    assert achievable_segmentation_accuracy(segments, target) == 6 / 11
    # min(5, 3) + min(3, 5) + min(1, 1) + min(1, 1)
    assert undersegmentation_error(segments, target) == 8 / 11


def test_perfect(target):
    pixels = np.arange(target.size).reshape(target.shape)
    for segments in (target, pixels):
        assert achievable_segmentation_accuracy(segments, target) == 1
        assert undersegmentation_error(segments, target) == 0
        assert boundary_recall(segments, target, tolerance=0) == 1


class TestExplainedVariation:

    def test_equals_naive_reference(self, rng, segments, renamed):
        image = rng.random((*segments.shape, 3))
        variation = explained_variation(segments, image)
        assert variation == pytest.approx(
            naive_variation(segments, image), rel=1e-10)
        assert explained_variation(renamed, image) == variation

    def test_layouts_and_dtypes(self, rng, segments):
        image = rng.integers(0, 256, (*segments.shape, 3))
        expected = explained_variation(segments, image)
        first = image.transpose(2, 0, 1)
        for same in (first, torch.tensor(first), torch.tensor(image),
                     torch.tensor(first).to(torch.bfloat16),
                     image.astype(np.uint8)):
            assert explained_variation(
                torch.tensor(segments), same) == pytest.approx(expected)
        gray = image[..., 0]
        assert explained_variation(segments, gray) == explained_variation(
            segments, gray[..., None])
        # The axes of a 3 x 3 x 3 image are ambiguous.
        small = rng.random((3, 3, 3))
        labels = rng.integers(0, 2, (3, 3))
        for ambiguous, last in ((small, small), (torch.tensor(small),
                                                 small.transpose(1, 2, 0))):
            assert explained_variation(labels, ambiguous) == pytest.approx(
                naive_variation(labels, last))

    def test_extremes(self, rng, segments):
        image = rng.random((*segments.shape, 3))
        assert explained_variation(np.zeros_like(segments), image) < 1e-20
        pixels = np.arange(segments.size).reshape(segments.shape)
        assert explained_variation(pixels, image) == pytest.approx(1)
        assert explained_variation(pixels, image) <= 1
        assert math.isnan(
            explained_variation(np.full_like(segments, -1), image))
        for value in (0.1, 1e-8, 255):
            assert explained_variation(segments, 0 * image + value) == 1

    def test_bad_input(self, segments):
        with pytest.raises(TypeError, match='`segments` .*got float64'):
            explained_variation(segments * 1., segments)
        with pytest.raises(TypeError, match='`image` .* numbers, got list'):
            explained_variation(segments, segments.tolist())
        for shape in ((3, 4), (58, 37, 3), (37, 58, 3, 1)):
            with pytest.raises(ValueError, match=r'`image` .*\(37, 58\)'):
                explained_variation(segments, np.zeros(shape))
