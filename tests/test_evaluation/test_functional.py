"""Measures of label maps against naive implementations."""

import math

import numpy as np
import pytest
import torch
from helpers.evaluation import blobs
from scipy.ndimage import distance_transform_edt, maximum_filter

from mmhierseg.evaluation import functional as F

MAP = np.zeros((3, 4), dtype=np.int64)
OF_CLASSES = [F.boundary_counts, F.region_miou]
OF_REGIONS = [
    F.achievable_segmentation_accuracy, F.undersegmentation_error,
    F.boundary_recall, F.boundary_precision
]


@pytest.fixture(params=range(2), ids='seed{}'.format)
def rng(request):
    return np.random.default_rng(request.param)


@pytest.fixture
def target(rng):
    """Five classes and 255; one of the classes is rare."""
    target = blobs(rng, 5)
    target[blobs(rng, 6) == 0] = 255
    return target


@pytest.fixture
def pred(rng, target):
    """The truth, shifted by a few pixels and partly replaced."""
    pred = np.roll(target, rng.integers(1, 4), axis=int(rng.integers(2)))
    other = blobs(rng, 5)
    return np.where((pred == 255) | (blobs(rng, 4) == 0), other, pred)


@pytest.fixture
def segments(rng):
    """About 40 segments with gaps in their ids, and pixels without."""
    segments = 3 * blobs(rng, 40, sigma=2.) + 5
    segments[blobs(rng, 9) == 0] = -1
    return segments


@pytest.fixture
def renamed(rng, segments):
    """The same segments with other ids."""
    return np.where(segments < 0, -9, 10**12 - 10**9 * segments)


def masks(labels, valid):
    return [(labels == i) & valid for i in np.unique(labels[valid])]


def naive_boundary(labels, valid):
    """Pixels with a neighbour of another label, one by one."""
    boundary = np.zeros(labels.shape, dtype=bool)
    for y, x in np.argwhere(valid):
        for v, u in ((y, x + 1), (y, x - 1), (y + 1, x), (y - 1, x)):
            if min(v, u) >= 0 and v < len(labels) and u < len(labels[0]) and (
                    valid[v, u]):
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


def naive_covering(segments, regions):
    valid = regions != 255
    covers = masks(segments, segments >= 0)
    return np.mean([
        max(((inside & cover).sum() / (inside | cover & valid).sum()
             for cover in covers), default=0)
        for inside in masks(regions, valid & (regions > 0))
    ])


def naive_recall(segments, target, tolerance=2, precision=False):
    valid = target != 255
    true = naive_boundary(target, valid)
    made = naive_boundary(segments, valid & (segments >= 0))
    if precision:
        true, made = made, true
    near = maximum_filter(made, 2 * tolerance + 1, mode='constant', cval=False)
    return (near & true).sum() / true.sum()


def naive_compactness(segments):
    """Sides of pixels, one by one."""
    height, width = segments.shape
    total = 0
    for mask in masks(segments, segments >= 0):
        perimeter = 0
        for y, x in np.argwhere(mask):
            for v, u in ((y, x + 1), (y, x - 1), (y + 1, x), (y - 1, x)):
                perimeter += not (
                    0 <= v < height and 0 <= u < width and mask[v, u])
        total += mask.sum() * 4 * np.pi * mask.sum() / perimeter**2
    return total / (segments >= 0).sum()


def naive_overlaps(segments, target):
    """Pixels that a segment and a region share, over those of the truth."""
    valid = target != 255
    return np.array([[(region & segment).sum()
                      for region in masks(target, valid)]
                     for segment in masks(segments, valid & (segments >= 0))
                     ]) / valid.sum()


def naive_accuracy(segments, target):
    return naive_overlaps(segments, target).max(1).sum()


def naive_error(segments, target):
    shares = naive_overlaps(segments, target)
    return np.minimum(shares, shares.sum(1, keepdims=True) - shares).sum()


def naive_variation(segments, image):
    """For an image (H, W, C)."""
    mask = segments >= 0
    mean = image[mask].mean(0)
    between = sum(
        segment.sum() * ((image[segment].mean(0) - mean)**2).sum()
        for segment in masks(segments, mask))
    return between / ((image[mask] - mean)**2).sum()


MEASURES = {
    F.nf_covering: naive_covering,
    F.boundary_recall: naive_recall,
    F.achievable_segmentation_accuracy: naive_accuracy,
    F.undersegmentation_error: naive_error
}


@pytest.mark.parametrize('measure', MEASURES)
def test_measures_of_segments(measure, rng, segments, renamed, target):
    """Also for renumbered, perfect, missing and ignored maps."""
    value = measure(segments, target)
    assert value == pytest.approx(MEASURES[measure](segments, target),
                                  rel=1e-12)
    order = np.array([0, *(rng.permutation(4) + 40)])
    regions = np.where(target == 255, 255, order[target % 255])
    assert measure(renamed, regions) == value
    best = float(measure is not F.undersegmentation_error)
    assert measure(target, target) == best
    pixels = np.arange(1000, 1000 + target.size).reshape(target.shape)
    if measure is F.nf_covering:
        # Segments of the background and ignored pixels do not matter.
        pixels = np.where((target == 0) | (target == 255), pixels, target)
    assert measure(pixels, target) == best
    assert measure(np.full_like(segments, -1), target) == 0
    assert math.isnan(measure(segments, np.full_like(segments, 255)))
    if measure is F.boundary_recall:
        assert math.isnan(measure(segments, 0 * target))
        for tolerance in (0, 1, 5, 100):
            assert measure(segments, target, tolerance) == naive_recall(
                segments, target, tolerance)


def test_boundary_precision(segments, renamed, target):
    for tolerance in (0, 1, 2, 100):
        value = F.boundary_precision(segments, target, tolerance)
        assert value == naive_recall(segments, target, tolerance, True)
        assert value == F.boundary_precision(renamed, target, tolerance)
    assert F.boundary_precision(target, target) == 1
    assert F.boundary_precision(segments, 0 * target) == 0
    for without in (0 * segments, np.full_like(segments, -1)):
        assert math.isnan(F.boundary_precision(without, target))


def test_compactness(segments, renamed):
    value = F.compactness(segments)
    assert value == pytest.approx(naive_compactness(segments), rel=1e-12)
    assert value == F.compactness(torch.tensor(renamed))
    squares = np.kron(np.arange(6).reshape(2, 3), np.ones((4, 4), int))
    assert F.compactness(squares) == pytest.approx(np.pi / 4)
    assert math.isnan(F.compactness(np.full_like(segments, -1)))


def naive_human_covering(segments, maps, ignore):
    """The best IoU, pixel by pixel."""
    values = []
    for regions in maps:
        valid = regions != ignore
        covers = masks(segments, valid & (segments >= 0))
        best = [max(((inside & cover).sum() / (inside | cover).sum()
                     for cover in covers), default=0)
                for inside in masks(regions, valid)]
        sizes = [inside.sum() for inside in masks(regions, valid)]
        if sizes:
            values.append(np.average(best, weights=sizes))
    return np.mean(values)


def test_covering_of_several_annotators(rng, segments, renamed, target):
    """Also of a region 255; order and numbers do not matter."""
    maps = np.stack([target, blobs(rng, 12) + 1, 0 * target - 1])
    maps[1, :5] = -1
    for ignore in (-1, 255):
        value = F.covering(segments, maps, ignore)
        assert value == pytest.approx(
            naive_human_covering(segments, maps, ignore), rel=1e-12)
        assert F.covering(renamed, maps, ignore) == value
        assert F.covering(
            torch.tensor(segments), torch.tensor(maps[::-1].copy()),
            ignore) == pytest.approx(value, rel=1e-15)
    assert F.covering(segments, maps) == pytest.approx(np.mean(
        [F.covering(segments, regions) for regions in maps[:2]]), rel=1e-15)
    assert F.covering(target, target) == 1
    assert F.covering(0 * target - 1, target) == 0
    assert math.isnan(F.covering(segments, maps[2]))
    for wrong, error in ((maps[:, 1:], ValueError), (maps / 2, TypeError),
                         (None, TypeError)):
        with pytest.raises(error, match='`regions`|same shape'):
            F.covering(segments, wrong)


class TestBoundaryCounts:

    @pytest.mark.parametrize('tolerance', [0, 0.0075, 0.03, 0.1, 3.])
    def test_naive_reference(self, rng, pred, target, tolerance):
        """Also with other classes, and transposed."""
        # Some pixels have no predicted class.
        pred = np.where(rng.random(pred.shape) < 0.1, 255, pred)
        # Anything may be predicted where the truth is ignored.
        pred[target == 255] = -9
        counts = np.array(F.boundary_counts(pred, target, 5, tolerance))
        np.testing.assert_array_equal(
            counts, naive_counts(pred, target, 5, tolerance))
        order = rng.permutation(5)
        one, other = (
            np.where((labels < 0) | (labels > 4), labels, order[labels % 5])
            for labels in (pred, target))
        permuted = F.boundary_counts(one.T, other.T, 7, tolerance)
        np.testing.assert_array_equal(np.array(permuted)[:, order], counts)

    def test_noise_and_an_ignored_class(self, rng):
        """Every pixel is a boundary; an ignored class can be predicted."""
        pred, target = rng.integers(0, 30, (2, 23, 31))
        counts = F.boundary_counts(pred, target, 30, 0.1, 0)
        np.testing.assert_array_equal(
            counts, naive_counts(pred, target, 30, 0.1, 0))
        assert 0 < counts.matched_pred.sum() < counts.pred.sum()
        assert counts.pred[0] > 0

    @pytest.mark.parametrize('size', [100, 300, 500, 700])
    def test_distance_equal_to_the_tolerance(self, size):
        """0.01 * sqrt(2) * size is the length of an offset of size/100."""
        pred, target = np.zeros((2, size, size), dtype=int)
        step = size // 100
        pred[50, 50] = target[50 + step, 50 - step] = 1
        assert F.boundary_counts(pred, target, 2, 0.01).matched_pred[1] == 1

    @pytest.mark.parametrize('shape', [(0, 0), (0, 4), (1, 1), (1, 5)])
    def test_maps_without_boundary(self, shape):
        labels = np.zeros(shape, dtype=int)
        counts = F.boundary_counts(labels, labels, 2)
        np.testing.assert_array_equal(counts, np.zeros((4, 2)))
        assert np.isnan(F.boundary_f_score(counts)[0]).all()

    def test_f_score_of_a_boundary_in_one_map_only(self):
        counts = F.BoundaryCounts(*np.array(
            [[0, 0, 1], [1, 0, 4], [0, 0, 3], [0, 1, 4]]))
        np.testing.assert_array_equal(
            F.boundary_f_score(counts),
            [[0, 0, 0.375], [0, 0, 0.25], [0, 0, 0.75]])


def test_region_miou(segments, renamed, target):
    """The mIoU of a majority labelling, as MMSegmentation defines it."""
    labels = np.full_like(target, 255)
    for segment in masks(segments, (segments >= 0) & (target != 255)):
        labels[segment] = np.bincount(target[segment]).argmax()
    counted = labels < 255
    expected = np.zeros((6, 6), dtype=np.int64)
    np.add.at(expected, (target[counted], labels[counted]), 1)
    confusion = F.region_miou(segments, target, 6)
    np.testing.assert_array_equal(confusion, expected)
    np.testing.assert_array_equal(F.region_miou(renamed, target, 6), expected)
    overlaps = [(labels == c) & (target == c) for c in range(5)]
    unions = [counted & ((labels == c) | (target == c)) for c in range(5)]
    assert F.mean_iou(confusion) == pytest.approx(np.nanmean([
        overlap.sum() / union.sum()
        for overlap, union in zip(overlaps, unions)]))
    ignored = F.region_miou(segments, np.full_like(segments, 255), 4)
    assert not ignored.any() and math.isnan(F.mean_iou(ignored))


class TestExplainedVariation:

    def test_naive_reference_and_extremes(self, rng, segments, renamed):
        image = rng.random((*segments.shape, 3))
        variation = F.explained_variation(segments, image)
        assert variation == pytest.approx(
            naive_variation(segments, image), rel=1e-10)
        assert F.explained_variation(renamed, image) == variation
        assert F.explained_variation(np.zeros_like(segments), image) < 1e-20
        pixels = np.arange(segments.size).reshape(segments.shape)
        assert 1 - 1e-9 < F.explained_variation(pixels, image) <= 1
        assert math.isnan(
            F.explained_variation(np.full_like(segments, -1), image))
        for value in (0.1, 1e-8, 255):
            assert F.explained_variation(segments, 0 * image + value) == 1

    def test_layouts_and_dtypes(self, rng, segments):
        image = rng.integers(0, 256, (*segments.shape, 3))
        expected = F.explained_variation(segments, image)
        first = image.transpose(2, 0, 1)
        for same in (first, torch.tensor(first), torch.tensor(image),
                     torch.tensor(first).to(torch.bfloat16),
                     image.astype(np.uint8)):
            assert F.explained_variation(
                torch.tensor(segments), same) == pytest.approx(expected)
        assert F.explained_variation(segments, image[..., 0]) == (
            F.explained_variation(segments, image[..., :1]))
        # The axes of a 3 x 3 x 3 image are ambiguous.
        small = rng.random((3, 3, 3))
        labels = rng.integers(0, 2, (3, 3))
        for ambiguous, last in ((small, small), (torch.tensor(small),
                                                 small.transpose(1, 2, 0))):
            assert F.explained_variation(labels, ambiguous) == pytest.approx(
                naive_variation(labels, last))


@pytest.mark.parametrize('function', [*OF_CLASSES, F.nf_covering, *OF_REGIONS])
def test_inputs(function, pred, target):
    """Arrays and tensors of any integers, which are not modified."""
    def call(one, other, **options):
        if function in OF_CLASSES:
            options['num_classes'] = 5
        return function(one, other, **options)

    maps = np.random.default_rng(0).integers(0, 3, (2, 9, 14))
    copies = maps.copy()
    expected = call(*maps)
    for dtype in (np.uint8, np.int32):
        np.testing.assert_array_equal(call(*maps.astype(dtype)), expected)
    mirrored = torch.tensor(maps[0].T.copy()).T
    np.testing.assert_array_equal(call(mirrored, maps[1]), expected)
    np.testing.assert_array_equal(maps, copies)
    if function in OF_REGIONS:
        pred, target = pred + 1, np.where(target == 255, 255, target + 1)
    moved = np.where(target == 255, -7, target)
    np.testing.assert_array_equal(
        call(pred, moved, ignore_index=-7), call(pred, target))
    for wrong in (MAP.astype(np.float32), MAP.astype(bool)):
        for pair in ((wrong, MAP), (MAP, wrong)):
            with pytest.raises(TypeError, match='of integers, got '):
                call(*pair)
    with pytest.raises(ValueError, match=r'got \(3, 4\) and \(4, 3\)'):
        call(MAP, MAP.T)


@pytest.mark.parametrize('function, args, match', [
    (F.region_miou, (MAP, MAP + 3, 3), r'`target` .*\[0, 2\].*got 3'),
    (F.boundary_counts, (MAP - 1, MAP, 2), r'`pred` .*\[0, 1\].* got -1'),
    *((F.boundary_counts, (MAP, MAP, 2, value), '`tolerance` .*got')
      for value in (-0.1, math.inf, math.nan)),
    (F.boundary_recall, (MAP, MAP, -1), '`tolerance` .*got -1'),
    *((function, (MAP, MAP - 1), '`target` must not be neg.* got -1')
      for function in OF_REGIONS),
    *((F.explained_variation, (MAP, np.zeros(shape)), r'`image` .*\(3, 4\)')
      for shape in ((2, 4), (4, 3, 3), (3, 4, 3, 1))),
])
def test_bad_values(function, args, match):
    with pytest.raises(ValueError, match=match):
        function(*args)


def test_many_segments_with_many_regions():
    """A table of all pairs would have 4e8 entries."""
    pixels = np.arange(20000).reshape(100, 200)
    assert F.achievable_segmentation_counts(
        pixels, pixels[::-1], 10**6) == (20000, 20000)
    assert F.undersegmentation_error(10**12 * pixels, 10**9 * pixels, -1) == 0
