import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from mmhierseg.datasets.scenes.shapes import (
    bar,
    box,
    disc,
    distance,
    ellipse,
    extent,
    polygon,
    ring,
)

STEP = 0.01
EXACT = [
    disc(0.1, -0.2, 0.5),
    box(0.1, 0.2, 0.5, 0.3),
    box(0.1, 0.2, 0.5, 0.3, 0.2),
    ring(-0.1, 0.1, 0.5, 0.1),
    bar((-0.5, -0.3), (0.4, 0.2), 0.1),
]
OTHERS = [
    ellipse(0.1, 0.2, 0.6, 0.3),
    polygon((-0.5, -0.5), (0.6, -0.2), (0.1, 0.6)),
    # The same the other way round.
    polygon((0.1, 0.6), (0.6, -0.2), (-0.5, -0.5)),
]


@pytest.fixture(scope='module')
def grid():
    """A wide rectangle of points, x (1, w) and y (h, 1)."""
    x = np.arange(-1.2, 1.2, STEP, dtype=np.float32)
    y = np.arange(-1, 1, STEP, dtype=np.float32)
    return x[None], y[:, None]


def sampled(inside):
    """Signed distance by looking for the nearest point of the other side."""
    outside = distance_transform_edt(~inside) - 0.5
    return STEP * np.where(inside, 0.5 - distance_transform_edt(inside),
                           outside)


@pytest.mark.parametrize('shape', EXACT, ids=lambda shape: shape.kind)
def test_distance_is_that_to_the_outline(shape, grid):
    values = distance(shape, *grid)
    assert values.dtype == np.float32
    # An outline is known to a pixel's diagonal.
    assert abs(values - sampled(values < 0)).max() < 1.5 * STEP


@pytest.mark.parametrize('shape', OTHERS, ids=lambda shape: shape.kind)
def test_distance_never_promises_too_much(shape, grid):
    values = distance(shape, *grid)
    reference = sampled(values < 0)
    assert (abs(values) < abs(reference) + 1.5 * STEP).all()
    near = abs(reference) < 2 * STEP
    assert near.sum() > 100
    assert abs(values - reference)[near].max() < 2 * STEP


def test_corners_of_a_polygon_may_go_either_way_round(grid):
    np.testing.assert_allclose(
        distance(OTHERS[1], *grid), distance(OTHERS[2], *grid), atol=1e-6)


@pytest.mark.parametrize('shape', EXACT + OTHERS, ids=lambda shape: shape.kind)
def test_extent_is_the_box_around_a_shape(shape, grid):
    rows, columns = np.nonzero(distance(shape, *grid) < 0)
    x, y = grid[0][0], grid[1][:, 0]
    found = (x[columns.min()], y[rows.min()], x[columns.max()],
             y[rows.max()])
    np.testing.assert_allclose(extent(shape), found, atol=2 * STEP)


def test_bar_of_no_length_is_a_disc(grid):
    np.testing.assert_allclose(
        distance(bar((0.2, 0.1), (0.2, 0.1), 0.3), *grid),
        distance(disc(0.2, 0.1, 0.3), *grid),
        atol=1e-6)


def test_corners_are_never_rounder_than_the_box():
    assert box(0, 0, 0.5, 0.2, 0.4).sizes == (0.5, 0.2, 0.2)
