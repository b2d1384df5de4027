import math

import numpy as np
import pytest
import torch

from mmhierseg.evaluation.functional import (
    achievable_segmentation_accuracy,
    boundary_recall,
    explained_variation,
    explained_variation_sums,
    undersegmentation_error,
)


def masks(labels, valid):
    return [(labels == i) & valid for i in np.unique(labels[valid])]


def asa_by_loops(segments, target, ignore=255):
    valid = target != ignore
    right = sum(
        max((region & segment).sum() for region in masks(target, valid))
        for segment in masks(segments, valid & (segments >= 0)))
    return right / valid.sum()


def ue_by_loops(segments, target, ignore=255):
    valid = target != ignore
    leak = 0
    for region in masks(target, valid):
        for segment in masks(segments, valid & (segments >= 0)):
            if (region & segment).any():
                leak += min((region & segment).sum(),
                            (segment & ~region).sum())
    return leak / valid.sum()


def ev_by_loops(segments, image):
    """Of an image (H, W, C)."""
    mask = segments >= 0
    mean = image[mask].mean(0)
    between = sum(
        segment.sum() * ((image[segment].mean(0) - mean)**2).sum()
        for segment in masks(segments, mask))
    return between / ((image[mask] - mean)**2).sum()


def test_accuracy_equals_that_by_loops(segments, target):
    assert achievable_segmentation_accuracy(
        segments, target) == asa_by_loops(segments, target)


def test_error_equals_that_by_loops(segments, target):
    assert undersegmentation_error(segments, target) == ue_by_loops(
        segments, target)


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
        assert boundary_recall(segments, target) == 1


def test_coarser_levels_are_never_better(rng, segments, target):
    """Segments that are joined can only lose."""
    image = rng.random((*target.shape, 3))
    accuracy, variation = [], []
    for _ in range(5):
        accuracy.append(achievable_segmentation_accuracy(segments, target))
        variation.append(explained_variation(segments, image))
        segments = np.where(segments < 0, -1, segments // 3)
    for values in (accuracy, variation):
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]


def test_do_not_depend_on_numbers(rng, segments, target):
    order = rng.permutation(segments.max() + 1) * 10**9
    renamed = np.where(segments < 0, -9, order[segments])
    for measure in (achievable_segmentation_accuracy,
                    undersegmentation_error):
        assert measure(renamed, target) == measure(segments, target)
    image = rng.random((*target.shape, 3))
    assert explained_variation(renamed, image) == explained_variation(
        segments, image)


@pytest.mark.parametrize('measure', [
    achievable_segmentation_accuracy, undersegmentation_error
])
def test_nothing_left(measure, segments):
    assert math.isnan(measure(segments, np.full_like(segments, 255)))
    # Pixels without a segment are neither right nor leak.
    assert measure(np.full_like(segments, -1), np.zeros_like(segments)) == 0


class TestExplainedVariation:

    def test_equals_that_by_loops(self, rng, segments):
        image = rng.random((*segments.shape, 3))
        assert explained_variation(segments, image) == pytest.approx(
            ev_by_loops(segments, image), rel=1e-10)

    def test_hand_computed(self):
        segments = np.array([[0, 0, 1], [-1, 1, 1]])
        image = np.array([[0, 2, 5], [99, 5, 8]], dtype=np.uint8)
        # Mean 4; means 1 and 6: 2 * 9 + 3 * 4 = 30; all: 16 + 4 + 1 + 1 + 16.
        assert explained_variation(segments, image) == 30 / 38
        assert explained_variation_sums(segments, image) == (
            pytest.approx(30), pytest.approx(38))

    def test_layouts(self, rng, segments):
        image = rng.random((*segments.shape, 3))
        wanted = explained_variation(segments, image)
        first = image.transpose(2, 0, 1)
        for same in (first, torch.tensor(first), torch.tensor(image)):
            assert explained_variation(torch.tensor(segments), same) == wanted
        gray = image[..., 0]
        assert explained_variation(segments, gray) == explained_variation(
            segments, gray[..., None])
        # Nobody can tell the axes of a 3 x 3 x 3 image.
        small = rng.random((3, 3, 3))
        labels = rng.integers(0, 2, (3, 3))
        assert explained_variation(labels, small) == pytest.approx(
            ev_by_loops(labels, small))
        assert explained_variation(
            labels, torch.tensor(small)) == pytest.approx(
                ev_by_loops(labels, small.transpose(1, 2, 0)))

    @pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16,
                                       torch.uint8])
    def test_dtypes(self, dtype, segments):
        image = torch.arange(segments.size).view(segments.shape) % 256
        assert explained_variation(segments, image.to(dtype)) == (
            explained_variation(segments, image))

    @pytest.mark.parametrize('value', [0.1, 1e-8, 255])
    def test_constant_image(self, segments, value):
        image = np.full((*segments.shape, 3), value)
        assert explained_variation(segments, image) == 1

    def test_extremes(self, rng, segments):
        image = rng.random((*segments.shape, 3))
        assert explained_variation(np.zeros_like(segments), image) < 1e-20
        pixels = np.arange(segments.size).reshape(segments.shape)
        assert explained_variation(pixels, image) == pytest.approx(1)
        assert explained_variation(pixels, image) <= 1
        assert math.isnan(
            explained_variation(np.full_like(segments, -1), image))

    def test_errors(self, segments):
        with pytest.raises(TypeError, match='`segments` .*got float64'):
            explained_variation(segments * 1., segments)
        with pytest.raises(TypeError, match='`image` .* numbers, got list'):
            explained_variation(segments, segments.tolist())
        for shape in ((3, 4), (58, 37, 3), (37, 58, 3, 1)):
            with pytest.raises(ValueError, match=r'`image` .*\(37, 58\)'):
                explained_variation(segments, np.zeros(shape))
