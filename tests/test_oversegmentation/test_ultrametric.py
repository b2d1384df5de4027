import numpy as np
import pytest
from helpers.contours import random_contours
from skimage.measure import label

from mmhierseg.oversegmentation import (
    RegionGraph,
    UltrametricContourMap,
    oriented_watershed,
)


@pytest.fixture(scope='module')
def graph():
    return oriented_watershed(random_contours(0))


@pytest.fixture(scope='module')
def ucm(graph):
    return UltrametricContourMap(graph)


def nests(fine, coarse):
    """Whether every region of one map is in one region of the other."""
    first = np.unique(fine.ravel(), return_index=True)[1]
    return (coarse.ravel()[first][fine] == coarse).all()


def test_thresholds_give_nested_regions(ucm):
    """The defining property of an ultrametric contour map."""
    maps = [
        ucm.labels(threshold)
        for threshold in (None, *np.linspace(0, 1, 50))
    ]
    for i, fine in enumerate(maps):
        for coarse in maps[i:]:
            assert nests(fine, coarse) and fine.max() >= coarse.max()
    # From the finest to a single region.
    counts = {labels.max() + 1 for labels in maps}
    assert len(counts) > 8 and 1 in counts and ucm.num_regions in counts
    assert not nests(maps[-3], maps[0])


def test_number_of_regions(ucm):
    fine = ucm.labels()
    for count in range(ucm.num_regions, 0, -1):
        labels = ucm.labels(num_regions=count)
        assert np.array_equal(np.unique(labels), np.arange(count))
        assert nests(fine, labels) and labels.dtype == np.int32
        # Connected, and numbered by their first pixels.
        assert len(np.unique(label(labels + 1, connectivity=1))) == count
        first = np.unique(labels, return_index=True)[1]
        assert (np.diff(first) > 0).all()
        fine = labels
    # With a threshold, until both hold.
    threshold = float(ucm.heights[-20])
    for count, expected in ((5, 5), (50, 20), (None, 20)):
        assert np.array_equal(
            ucm.labels(threshold, count), ucm.labels(num_regions=expected))


def naive_reference(graph):
    """Heights and regions of each step, remeasuring all boundaries."""
    region = np.arange(graph.labels.max() + 1)
    heights, steps = [], []
    while len(np.unique(region)) > 1:
        sums = {}
        for (one, other), strength, length in zip(
                graph.arcs, graph.strengths, graph.lengths):
            key = tuple(sorted((region[one], region[other])))
            if key[0] != key[1]:
                old = sums.get(key, (0, 0))
                sums[key] = old[0] + strength, old[1] + length
        means = {key: total / count for key, (total, count) in sums.items()}
        one, other = min(means, key=means.get)
        heights.append(means[one, other])
        region = np.where(region == other, one, region)
        steps.append(region)
    return heights, steps


def test_agrees_with_naive_reference(graph, ucm):
    heights, steps = naive_reference(graph)
    np.testing.assert_allclose(ucm.heights, heights, rtol=1e-9)
    assert (np.diff(ucm.heights) >= 0).all()
    # Two parts each; parents are made later, the last is the root.
    assert (np.bincount(ucm.parents)[ucm.num_regions:-1] == 2).all()
    assert (ucm.parents[:-1] > np.arange(len(ucm.parents) - 1)).all()
    for merges in (1, len(steps) // 2, len(steps) - 5):
        labels = ucm.labels(num_regions=ucm.num_regions - merges)
        expected = steps[merges - 1][graph.labels]
        _, expected = np.unique(expected, return_inverse=True)
        expected = expected.reshape(labels.shape)
        assert nests(labels, expected) and nests(expected, labels)


def test_contour_map(graph, ucm):
    """Above a threshold it has the boundaries of the labels there."""
    contours = ucm.contour_map()
    assert contours.shape == graph.labels.shape
    assert contours.max() == np.float32(ucm.heights[-1])
    for threshold in np.linspace(0, ucm.heights[-1], 7)[:-1]:
        labels = ucm.labels(threshold)
        down = np.zeros(labels.shape, dtype=bool)
        down[:-1] |= labels[:-1] != labels[1:]
        down[:, :-1] |= labels[:, :-1] != labels[:, 1:]
        # Heights are float64, the map is not.
        assert (down == (contours > threshold + 1e-6)).mean() > 0.999


def test_numbers_of_regions_do_not_matter(graph, ucm):
    order = np.random.default_rng(0).permutation(ucm.num_regions)
    arcs = np.sort(order[graph.arcs], axis=1)
    by_key = np.lexsort(arcs.T[::-1])
    renamed = UltrametricContourMap(
        RegionGraph(order[graph.labels].astype(np.int32), arcs[by_key],
                    graph.strengths[by_key], graph.lengths[by_key]))
    for count in (2, 7, 30):
        assert np.array_equal(
            renamed.labels(num_regions=count), ucm.labels(num_regions=count))
