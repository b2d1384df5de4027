"""Guarantees of all functions of two label maps: input types and errors."""

import numpy as np
import pytest
import torch

from mmhierseg.evaluation import functional as F

MAP = np.zeros((3, 4), dtype=np.int64)
OF_CLASSES = [F.boundary_counts, F.region_miou]
OF_REGIONS = [
    F.achievable_segmentation_accuracy, F.undersegmentation_error,
    F.boundary_recall
]


def call(function, one, other, **options):
    if function in OF_CLASSES:
        options['num_classes'] = 5
    return function(one, other, **options)


@pytest.fixture(params=[*OF_CLASSES, F.nf_covering, *OF_REGIONS],
                ids=lambda function: function.__name__)
def function(request):
    return request.param


def test_arrays_and_tensors_of_any_integers(function):
    """Inputs need not be contiguous, and are not modified."""
    maps = np.random.default_rng(0).integers(0, 3, (2, 9, 14))
    copies = maps.copy()
    expected = call(function, *maps)
    for dtype in (np.uint8, np.int32):
        np.testing.assert_array_equal(
            call(function, *maps.astype(dtype)), expected)
    mirrored = torch.tensor(maps[0].T.copy()).T
    np.testing.assert_array_equal(call(function, mirrored, maps[1]), expected)
    np.testing.assert_array_equal(maps, copies)


def test_another_index_to_ignore(function, pred, target):
    if function not in OF_CLASSES:
        # No region is background.
        pred, target = pred + 1, np.where(target == 255, 255, target + 1)
    moved = np.where(target == 255, -7, target)
    np.testing.assert_array_equal(
        call(function, pred, moved, ignore_index=-7),
        call(function, pred, target))


@pytest.mark.parametrize('wrong', [
    MAP.astype(np.float32), MAP.astype(bool),
    torch.zeros(3, 4, dtype=torch.bfloat16), MAP.tolist()
], ids=lambda wrong: str(getattr(wrong, 'dtype', type(wrong).__name__)))
def test_other_types(function, wrong):
    for maps in ((wrong, MAP), (MAP, wrong)):
        with pytest.raises(TypeError, match='of integers, got '):
            call(function, *maps)


def test_shapes(function):
    with pytest.raises(ValueError, match=r'\(H, W\), got \(1, 3, 4\)'):
        call(function, MAP[None], MAP)
    with pytest.raises(
            ValueError, match=r'the same shape, got \(3, 4\) and \(4, 3\)'):
        call(function, MAP, MAP.T)


@pytest.mark.parametrize('function', OF_CLASSES)
def test_labels_out_of_range(function):
    for label in (-1, 3, 254):
        target = MAP.copy()
        target[1, 2] = label
        with pytest.raises(
                ValueError,
                match=rf'`target` must be a class in \[0, 2\].*got {label}'):
            function(MAP, target, 3)
    with pytest.raises(ValueError, match='`num_classes` .* got 0'):
        function(MAP, MAP, 0)
    with pytest.raises(TypeError, match='`num_classes` .* got 2.0'):
        function(MAP, MAP, 2.)


@pytest.mark.parametrize('function', OF_REGIONS)
def test_negative_regions(function):
    with pytest.raises(ValueError, match='`target` must not be neg.* got -1'):
        function(MAP, MAP - 1)


def test_many_segments_with_many_regions():
    """A table of all pairs would have 4e8 entries."""
    pixels = np.arange(20000).reshape(100, 200)
    assert F.achievable_segmentation_counts(
        pixels, pixels[::-1], 10**6) == (20000, 20000)
    assert F.undersegmentation_error(10**12 * pixels, 10**9 * pixels, -1) == 0
