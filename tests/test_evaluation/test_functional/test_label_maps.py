import numpy as np
import pytest
import torch

from mmhierseg.evaluation import functional as F
from mmhierseg.evaluation.functional.label_maps import find_overlaps, sizes_of

MAP = np.zeros((3, 4), dtype=np.int64)


def two_maps(function):
    """The function, of two label maps."""
    if function in (F.boundary_counts, F.region_miou):
        return lambda one, other: function(one, other, 3)
    return function


FUNCTIONS = [
    F.boundary_counts, F.nf_covering, F.region_miou,
    F.achievable_segmentation_accuracy, F.undersegmentation_error,
    F.boundary_recall
]


@pytest.mark.parametrize('function', FUNCTIONS)
class TestInputs:

    def test_arrays_and_tensors_of_any_integers(self, function):
        rng = np.random.default_rng(0)
        one, other = rng.integers(0, 3, (2, 9, 14))
        wanted = two_maps(function)(one, other)
        for dtype in (np.uint8, np.int32):
            np.testing.assert_array_equal(
                two_maps(function)(one.astype(dtype), other.astype(dtype)),
                wanted)
        # Not contiguous, and of another kind than the other map.
        mirrored = torch.tensor(one.T.copy()).T
        np.testing.assert_array_equal(
            two_maps(function)(mirrored, other), wanted)

    def test_inputs_stay_as_they_are(self, function):
        one, other = np.random.default_rng(0).integers(0, 3, (2, 9, 14))
        copies = one.copy(), other.copy()
        two_maps(function)(one, other)
        np.testing.assert_array_equal((one, other), copies)

    @pytest.mark.parametrize('wrong', [
        MAP.astype(np.float32), MAP.astype(bool),
        torch.zeros(3, 4), torch.zeros(3, 4, dtype=torch.bfloat16),
        MAP.tolist(), None
    ], ids=lambda wrong: str(getattr(wrong, 'dtype', type(wrong).__name__)))
    def test_other_kinds(self, function, wrong):
        for maps in ((wrong, MAP), (MAP, wrong)):
            with pytest.raises(TypeError, match='of integers, got '):
                two_maps(function)(*maps)

    def test_shapes(self, function):
        with pytest.raises(ValueError, match=r'\(H, W\), got \(1, 3, 4\)'):
            two_maps(function)(MAP[None], MAP)
        with pytest.raises(
                ValueError,
                match=r'the same shape, got \(3, 4\) and \(4, 3\)'):
            two_maps(function)(MAP, MAP.T)

    def test_another_index_to_ignore(self, function, pred, target):
        if function in FUNCTIONS[3:]:
            # Regions that are background to nobody.
            pred, target = pred + 1, np.where(target == 255, 255, target + 1)
        elif function is F.nf_covering:
            pred = pred + 1
        moved = np.where(target == 255, -7, target)
        arguments = dict(ignore_index=-7)
        if function in (F.boundary_counts, F.region_miou):
            arguments['num_classes'] = 5
            wanted = function(pred, target, 5)
        else:
            wanted = function(pred, target)
        np.testing.assert_array_equal(
            function(pred, moved, **arguments), wanted)


@pytest.mark.parametrize('function', [F.boundary_counts, F.region_miou])
class TestClasses:

    @pytest.mark.parametrize('label', [-1, 3, 254])
    def test_ground_truth_beyond_the_classes(self, function, label):
        target = MAP.copy()
        target[1, 2] = label
        with pytest.raises(
                ValueError,
                match=rf'`target` must be a class in \[0, 2\].*got {label}'):
            function(MAP, target, 3)

    def test_number_of_classes(self, function):
        with pytest.raises(ValueError, match='`num_classes` .* got 0'):
            function(MAP, MAP, 0)
        with pytest.raises(TypeError, match='`num_classes` .* got 2.0'):
            function(MAP, MAP, 2.)


@pytest.mark.parametrize('function', FUNCTIONS[3:])
def test_regions_below_zero(function):
    with pytest.raises(ValueError, match='`target` must not be neg.* got -1'):
        function(MAP, MAP - 1)


@pytest.mark.parametrize('spread', [1, 10**12])
def test_overlaps(rng, spread):
    """Small numbers are counted in a table, large ones are sorted."""
    segments = rng.integers(-3, 9, (7, 11)) * spread
    regions = rng.integers(0, 5, (7, 11)) * spread
    mask = rng.random((7, 11)) < 0.7
    segment, region, count = overlaps = find_overlaps(segments, regions, mask)
    wanted = {}
    for pair in zip(segments[mask].tolist(), regions[mask].tolist()):
        wanted[pair] = wanted.get(pair, 0) + 1
    ids = np.unique(segments[mask])
    found = zip(ids[segment].tolist(), region.tolist())
    assert dict(zip(found, count.tolist())) == wanted
    assert list(wanted) != sorted(wanted) == list(zip(ids[segment], region))
    np.testing.assert_array_equal(
        sizes_of(overlaps), [(segments[mask] == i).sum() for i in ids])


def test_overlaps_of_many_segments_with_many_regions():
    """A table of all pairs would have 4e8 entries."""
    pixels = np.arange(20000).reshape(100, 200)
    overlaps = find_overlaps(pixels, pixels[::-1], pixels >= 0)
    assert (overlaps.count == 1).all() and len(overlaps.count) == 20000


def test_overlaps_of_nothing():
    overlaps = find_overlaps(MAP, MAP, MAP > 0)
    assert [part.size for part in overlaps] == [0, 0, 0]
    assert sizes_of(overlaps).size == 0
