import numpy as np
import pytest
from helpers.contours import random_contours
from skimage.measure import label

from mmhierseg.oversegmentation import (
    RegionGraph,
    UltrametricContourMap,
    oriented_watershed,
)


@pytest.fixture(scope='module', params=[0, 1])
def graph(request):
    return oriented_watershed(random_contours(request.param))


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
        for threshold in (None, 0, *np.linspace(0.01, 0.99, 99), 1)
    ]
    for i, fine in enumerate(maps):
        for coarse in maps[i:]:
            assert nests(fine, coarse) and fine.max() >= coarse.max()
    # From the finest to a single region.
    counts = {labels.max() + 1 for labels in maps}
    assert len(counts) > 8 and 1 in counts and ucm.num_regions in counts
    assert not nests(maps[-5], maps[0])


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
    # Not more than the finest, and with a threshold, until both hold.
    assert np.array_equal(
        ucm.labels(num_regions=10 * ucm.num_regions), ucm.labels())
    threshold = float(ucm.heights[-20])
    for count, expected in ((5, 5), (50, 20), (None, 20)):
        assert np.array_equal(
            ucm.labels(threshold, count), ucm.labels(num_regions=expected))


def test_heights_rise(ucm):
    assert (np.diff(ucm.heights) >= 0).all()
    assert len(ucm.heights) == ucm.num_regions - 1
    # Parents are made later, the last is the root.
    nodes = np.arange(len(ucm.parents))
    assert (ucm.parents[:-1] > nodes[:-1]).all()
    assert ucm.parents[-1] == nodes[-1]
    assert (np.bincount(ucm.parents)[ucm.num_regions:-1] == 2).all()


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


def test_by_hand():
    """0.2 is removed first; then (0.5 + 0.3) / 2 is less than 0.6."""
    labels = np.array([[0, 1, 2], [0, 3, 2]], dtype=np.int32)
    graph = RegionGraph(
        labels,
        arcs=np.array([[0, 1], [0, 3], [1, 2], [1, 3], [2, 3]]),
        strengths=np.array([0.5, 0.3, 0.6, 0.2, 0.7]),
        lengths=np.array([1, 1, 1, 1, 1]))
    ucm = UltrametricContourMap(graph)
    np.testing.assert_allclose(ucm.heights, [0.2, 0.4, 0.65])
    assert ucm.labels(0.3).tolist() == [[0, 1, 2], [0, 1, 2]]
    assert ucm.labels(0.5).tolist() == [[0, 0, 1], [0, 0, 1]]
    np.testing.assert_allclose(ucm.contour_map(),
                               [[0.4, 0.65, 0], [0.4, 0.65, 0]])


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


def test_a_single_region():
    graph = RegionGraph(
        np.zeros((3, 5), dtype=np.int32), np.zeros((0, 2), dtype=np.int64),
        np.zeros(0), np.zeros(0, dtype=np.int64))
    ucm = UltrametricContourMap(graph)
    for labels in (ucm.labels(), ucm.labels(0.5), ucm.labels(None, 3)):
        assert labels.tolist() == graph.labels.tolist()
    assert (ucm.contour_map() == 0).all() and ucm.num_regions == 1
