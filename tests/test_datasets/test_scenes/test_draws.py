import numpy as np
import pytest

from mmhierseg.datasets.scenes.draws import (
    choose,
    integer,
    rotation,
    sample,
    uniform,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_uniform_fills_its_range(rng):
    values = np.array([uniform(rng, -2, 3) for _ in range(2000)])
    assert values.min() >= -2 and values.max() < 3
    # Standard error of the mean: 5 / sqrt(12 * 2000) = 0.03.
    assert abs(values.mean() - 0.5) < 0.13


def test_integer_has_both_ends_and_no_favourite(rng):
    counts = np.bincount([integer(rng, 2, 5) for _ in range(4000)])
    assert counts[:2].sum() == 0 and len(counts) == 6
    # Standard deviation of each count: sqrt(4000 * 3/16) = 27.
    assert abs(counts[2:] - 1000).max() < 120
    assert {integer(rng, 7, 7) for _ in range(5)} == {7}


def test_choose_reaches_everything(rng):
    assert {choose(rng, 'abc') for _ in range(50)} == set('abc')


def test_sample_gives_different_items(rng):
    orders = set()
    for _ in range(200):
        chosen = sample(rng, 'abc', 2)
        assert len(set(chosen)) == 2
        orders.add(''.join(chosen))
    assert len(orders) == 6
    assert sorted(sample(rng, 'abc', 9)) == ['a', 'b', 'c']


def test_rotation_stays_within_its_angle(rng):
    turns = np.array([rotation(rng, 0.2) for _ in range(500)])
    np.testing.assert_allclose((turns**2).sum(1), 1, atol=1e-12)
    angles = np.degrees(np.arctan2(turns[:, 1], turns[:, 0]))
    limit = np.degrees(2 * np.arctan(0.2))
    assert abs(angles).max() <= limit
    assert angles.min() < -0.9 * limit and angles.max() > 0.9 * limit
