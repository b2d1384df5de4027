import math

import numpy as np
import pytest
from helpers.contours import random_contours
from scipy import ndimage

from mmhierseg.oversegmentation import ContourMap, oriented_watershed
from mmhierseg.oversegmentation.boundaries import fit_lines


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


def cross(direction):
    """A weak line ends in the broad band of a strong vertical contour."""
    y, x = np.mgrid[:40, :60].astype(np.float32)
    strength = np.exp(-(x - 30)**2 / 50)
    weak = 0.02 + 0.1 * np.exp(-(y - 20)**2 / 4)
    strength = np.where(x > 30, np.maximum(strength, weak), strength)
    return ContourMap(strength, np.full_like(strength, direction))


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


def arc_of(graph, one, other):
    key = sorted((int(graph.labels[one]), int(graph.labels[other])))
    index, = np.nonzero((graph.arcs == key).all(axis=1))[0]
    return graph.strengths[index] / graph.lengths[index]


def test_strength_counts_along_the_contour_only():
    graph = oriented_watershed(cross(math.pi / 2))
    left, above, below = (20, 5), (5, 50), (35, 50)
    assert len({int(graph.labels[place])
                for place in (left, above, below)}) == 3
    along, across = arc_of(graph, left, above), arc_of(graph, above, below)
    assert along == pytest.approx(1, abs=0.02)
    # With contours in the other direction, it is reversed.
    graph = oriented_watershed(cross(0))
    assert arc_of(graph, left, above) < 0.1
    assert across < 0.2 * arc_of(graph, above, below)


def test_lines():
    """Three lines of a zigzag, a curve, a digital line, single points."""
    t = np.arange(20.)
    zigzag = np.concatenate([
        np.stack((t, t), 1),
        np.stack((20 + t, 19 - t), 1),
        np.stack((40 + 0 * t, t), 1)
    ])
    circle = 30 * np.stack((np.cos(t / 3), np.sin(t / 3)), 1)
    digital = np.stack((t, np.round(0.3 * t)), 1)
    points = np.concatenate((zigzag, circle, digital, circle[:2]))
    found = fit_lines(points, np.repeat([7, 3, 9, 1], [60, 20, 20, 2]))
    expected = np.repeat([math.pi / 4, -math.pi / 4, math.pi / 2], 20)
    # Some pieces lie across a corner, within the tolerance.
    turned = np.abs(np.sin(found[:60] - expected))
    assert np.nanmedian(turned) < 1e-6 and np.nanmean(turned) < 0.15
    # Groups are independent; steps of a pixel are not corners.
    np.testing.assert_array_equal(
        fit_lines(circle, np.zeros(20, dtype=np.int64)), found[60:80])
    np.testing.assert_allclose(found[80:100], math.atan(0.3), atol=0.03)
    assert np.isnan(found[100:]).all()
