"""The compiled sampler picks what the one in torch picks."""

import pytest
import torch

from mmhierseg.ops import farthest_point_sampling
from mmhierseg.ops._numba import has_numba

pytestmark = pytest.mark.skipif(not has_numba(), reason='needs numba')


@pytest.fixture
def both(monkeypatch):
    """Picks of the compiled twin, after a comparison with torch's."""

    def sample(points, num_samples, **options):
        monkeypatch.delenv('MMHIERSEG_COMPILED', raising=False)
        compiled = farthest_point_sampling(points, num_samples, **options)
        monkeypatch.setenv('MMHIERSEG_COMPILED', '0')
        picks = farthest_point_sampling(points, num_samples, **options)
        assert compiled.dtype == picks.dtype and torch.equal(compiled, picks)
        return picks

    return sample


def random_points(batch=3, num=30, channels=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, num, channels, generator=generator)


@pytest.mark.parametrize('dtype', [
    torch.float16, torch.bfloat16, torch.float32, torch.float64
])
def test_random_points(both, dtype):
    both(random_points().to(dtype), 12)
    both(random_points(channels=384, num=196, batch=2).to(dtype), 64)


def test_views_and_gradients(both):
    points = random_points().requires_grad_()
    both(points.transpose(0, 1), 3)
    both(points[:, ::2], 3)


@pytest.mark.parametrize('pick_empty', [False, True])
def test_empty_points(both, pick_empty):
    points = random_points()
    empty = torch.rand(3, 30, generator=torch.Generator().manual_seed(1)) < .5
    empty[2] = True
    for number in (5, 40):
        both(points, number, empty=empty, pick_empty=pick_empty)


def test_ties(both):
    # Integers, whose distances are exact, and duplicates among them.
    generator = torch.Generator().manual_seed(0)
    points = torch.randint(-1, 2, (40, 16, 2), generator=generator).float()
    empty = torch.rand(40, 16, generator=generator) < .3
    for pick_empty in (False, True):
        both(points, 16, empty=empty, pick_empty=pick_empty)
    both(torch.zeros(1, 5, 3), 7)


def test_ties_up_to_rounding(both):
    # Both are as far from their mean, whatever rounding makes of it.
    pairs = random_points(batch=200, num=2, channels=5) + 3
    assert (both(pairs, 2) == torch.tensor([0, 1])).all()


def test_duplicates_and_offset(both):
    points = random_points()
    points = torch.cat([points, points + 1e-5, points], dim=1) + 100
    picks = both(points, 90)
    assert (picks.sort(1).values == torch.arange(90)).all()


def test_large_and_small_points(both):
    for scale in (1e-12, 1e12):
        both(random_points() * scale, 30)


def test_nan_gives_indices_that_exist():
    points = random_points()
    points[1, 3] = float('nan')
    picks = farthest_point_sampling(points, 9)
    assert 0 <= picks.min() and picks.max() < 30
    assert torch.equal(picks[0], farthest_point_sampling(points[:1], 9)[0])
