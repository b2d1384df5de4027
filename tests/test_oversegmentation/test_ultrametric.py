"""Oriented watershed and ultrametric contour map."""

import math

import numpy as np
import pytest
from scipy import ndimage

from mmhierseg.oversegmentation import (
    ContourMap,
    UltrametricContourMap,
    oriented_watershed,
)
from mmhierseg.oversegmentation.boundaries import fit_lines


def random_contours(seed, size=(37, 52)):
    """Smooth noise as strength, any direction."""
    rng = np.random.default_rng(seed)
    strength = ndimage.gaussian_filter(rng.random(size), 2)
    strength = (strength - strength.min()) / np.ptp(strength)
    direction = rng.random(size) * math.pi
    return ContourMap(strength.astype(np.float32),
                      direction.astype(np.float32))


def test_regions_and_arcs():
    """Regions are connected; arcs agree with a slow search."""
    contours = random_contours(0)
    graph = oriented_watershed(contours)
    labels = graph.labels
    count = labels.max() + 1
    assert labels.min() == 0 and count > 5 and labels.dtype == np.int32
    for region in range(count):
        assert ndimage.label(labels == region)[1] == 1
    lengths = {}
    for (y, x), label in np.ndenumerate(labels):
        for other in (labels[y + 1:y + 2, x], labels[y, x + 1:x + 2]):
            if other.size and other[0] != label:
                key = tuple(sorted((int(label), int(other[0]))))
                lengths[key] = lengths.get(key, 0) + 1
    assert [tuple(arc) for arc in graph.arcs.tolist()] == sorted(lengths)
    assert graph.lengths.tolist() == [lengths[key] for key in sorted(lengths)]
    means = graph.strengths / graph.lengths
    assert means.min() >= 0 and means.max() <= contours.strength.max()


@pytest.mark.parametrize('slope', [0.3, 1])
def test_a_valley_between_slanting_contours_is_one_region(slope):
    """The pixels of its bottom touch at corners only."""
    y, x = np.mgrid[:60, :40]
    bottom = y == 10 + np.round(slope * x)
    away = ndimage.distance_transform_edt(~bottom).astype(np.float32)
    strength = np.exp(-(away - 6)**2 / 30)
    graph = oriented_watershed(
        ContourMap(strength, np.full_like(strength, math.atan(slope))))
    assert len(np.unique(graph.labels[bottom])) == 1
    assert graph.labels.max() >= 1


def test_strength_counts_along_the_contour_only():
    """A weak line ends in the broad band of a strong vertical contour."""
    y, x = np.mgrid[:40, :60].astype(np.float32)
    strength = np.exp(-(x - 30)**2 / 50)
    weak = 0.02 + 0.1 * np.exp(-(y - 20)**2 / 4)
    strength = np.where(x > 30, np.maximum(strength, weak), strength)
    found = []
    for direction in (math.pi / 2, 0):
        graph = oriented_watershed(
            ContourMap(strength, np.full_like(strength, direction)))
        left, above, below = graph.labels[[20, 5, 35], [5, 50, 50]]
        means = dict(zip(map(frozenset, graph.arcs.tolist()),
                         graph.strengths / graph.lengths))
        found.append((means[frozenset({left, above})],
                      means[frozenset({above, below})]))
    assert found[0][0] == pytest.approx(1, abs=0.02) and found[1][0] < 0.1
    assert found[0][1] < 0.2 * found[1][1]


def test_corners_split_lines():
    """A zigzag of three lines, a digital line, two points."""
    t = np.arange(20.)
    lines = [(t, t), (20 + t, 19 - t), (40 + 0 * t, t), (t, np.round(0.3 * t))]
    points = np.hstack([*lines, np.zeros((2, 2))]).T
    found = fit_lines(points, np.repeat([7, 3, 1], [60, 20, 2]))
    expected = np.repeat([math.pi / 4, -math.pi / 4, math.pi / 2], 20)
    # Some pieces lie across a corner, within the tolerance.
    turned = np.abs(np.sin(found[:60] - expected))
    assert np.nanmedian(turned) < 1e-6 and np.nanmean(turned) < 0.15
    # Steps of a pixel are not corners.
    np.testing.assert_allclose(found[60:80], math.atan(0.3), atol=0.03)
    assert np.isnan(found[80:]).all()


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


def test_number_of_regions(ucm):
    fine = ucm.labels()
    for count in range(ucm.num_regions, 0, -1):
        labels = ucm.labels(num_regions=count)
        assert np.array_equal(np.unique(labels), np.arange(count))
        assert nests(fine, labels) and labels.dtype == np.int32
        # Connected, and numbered by their first pixels.
        parts = [ndimage.label(labels == i)[1] for i in range(count)]
        assert parts == [1] * count
        first = np.unique(labels, return_index=True)[1]
        assert (np.diff(first) > 0).all()
        fine = labels
    # A threshold removes what is not above it.
    for merged, height in enumerate(ucm.heights, 1):
        assert np.array_equal(
            ucm.labels(height),
            ucm.labels(num_regions=ucm.num_regions - merged))


@pytest.mark.parametrize('threshold, most', [(0.05, 20), (0.1, 5), (0.9, 4)])
def test_threshold_rises_until_there_are_few_regions(ucm, threshold, most):
    """By steps of 0.01, so that there may be fewer."""
    found = ucm.labels(threshold, most)
    while ucm.labels(threshold).max() >= most:
        threshold += 0.01
    assert np.array_equal(found, ucm.labels(threshold))


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
