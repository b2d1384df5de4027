import pytest
import torch

from mmhierseg.ops import farthest_point_sampling

pytestmark = pytest.mark.usefixtures('implementation')


def random_points(batch=3, num=20, channels=6):
    torch.manual_seed(0)
    return torch.randn(batch, num, channels)


def slow_sampling(points, num_samples, empty=None):
    """Distances themselves, one image and one step at a time."""
    picks = []
    if empty is None:
        empty = torch.zeros(points.shape[:2], dtype=torch.bool)
    for image, keep in zip(points.double(), ~empty):
        chosen = [image[keep].mean(0)]
        row = []
        for _ in range(num_samples):
            distance = torch.stack([(image - c).norm(dim=1)
                                    for c in chosen]).amin(0)
            distance[~keep] = -1
            distance[row] = -1
            row.append(int(distance.argmax()))
            chosen.append(image[row[-1]])
        picks.append(row)
    return torch.tensor(picks)


@pytest.mark.parametrize('dtype, scale, offset', [
    (torch.float16, 1, 0),
    (torch.bfloat16, 1, 0),
    (torch.float32, 1e-12, 0),
    (torch.float32, 1e12, 0),
    (torch.float64, 1, 1e4),
])
def test_slow_reference(dtype, scale, offset):
    points = (scale * random_points() + offset).to(dtype)
    assert torch.equal(
        farthest_point_sampling(points, 9), slow_sampling(points, 9))


@pytest.fixture
def few_picks(monkeypatch):
    """The reference is slow: directions tell from fewer picks on."""
    monkeypatch.setattr('mmhierseg.ops._numba.kernels._LEAST_PICKS', 128)


@pytest.mark.parametrize('scale, offset', [
    (1, 0), (1, 1e3), (1e-14, 0), (1e14, 0), (1e-21, 0), (2e-23, 0), (1e22, 0)
])
def test_long_sequences(scale, offset, few_picks):
    """Most points are too far from a pick in a few directions, in float32.

    There some of these squares do not exist, or are subnormal.
    """
    points = random_points(2, 1100, 100).double()
    points *= torch.linspace(3, .01, 100)
    points *= torch.logspace(0, -6, 1100)[:, None]
    points = torch.cat([points, points[:, :30]], dim=1)
    points = (points * scale + offset).float()
    empty = torch.rand(points.shape[:2]) < .1
    picks = farthest_point_sampling(points, 140, empty)
    # The reference is in float64, whose squares exist.
    assert torch.equal(picks, slow_sampling(points, 140, empty))


def test_long_sequences_of_points_equally_spread(few_picks):
    """Few directions do not tell those of a cluster apart.

    Fewer picks, without directions, are the same.
    """
    points = random_points(1, 1100, 100)
    points += 5 * points[:, torch.arange(1100) % 20]
    picks = farthest_point_sampling(points, 140)
    assert torch.equal(picks, slow_sampling(points, 140))
    assert torch.equal(picks[:, :100], farthest_point_sampling(points, 100))


@pytest.mark.filterwarnings('error')
def test_one_point():
    assert farthest_point_sampling(random_points(num=1), 2).tolist() == 3 * [
        [0, -1]]


def test_empty_points_are_left_out():
    points = random_points()
    empty = torch.zeros(3, 20, dtype=torch.bool)
    empty[0, 3:8] = empty[2, ::2] = True
    picks = farthest_point_sampling(points, 6, empty)
    assert torch.equal(picks, slow_sampling(points, 6, empty))
    assert not empty.gather(1, picks).any()
    # With more samples than points each is picked once.
    many = farthest_point_sampling(points, 30, empty)
    assert torch.equal((many >= 0).sum(1), (~empty).sum(1))
    assert (farthest_point_sampling(points, 3, empty | True) == -1).all()
    # Their values have no effect.
    points[empty] = 1e3
    assert torch.equal(farthest_point_sampling(points, 6, empty), picks)


def test_ties_and_duplicates():
    points = torch.ones(2, 12, 4)
    points[1, :3] = 2
    picks = farthest_point_sampling(points, 12)
    assert (picks.sort(1).values == torch.arange(12)).all()
    near = random_points(num=30)
    near = torch.cat([near, near + 1e-5, near], dim=1) + 100
    picks = farthest_point_sampling(near, 90)
    assert (picks.sort(1).values == torch.arange(90)).all()
    # Both are as far from their mean, whatever rounding makes of it.
    pairs = random_points(batch=200, num=2, channels=5) + 3
    assert (farthest_point_sampling(pairs, 2) == torch.arange(2)).all()


@pytest.mark.parametrize('pick_empty', [False, True])
@pytest.mark.parametrize('shape, num_samples', [((40, 16, 2), 20),
                                                ((1, 1100, 100), 1100)])
def test_both_implementations_break_ties_alike(monkeypatch, pick_empty, shape,
                                               num_samples):
    """Integers, whose distances are exact, and duplicates among them."""
    torch.manual_seed(0)
    points = torch.randint(-1, 2, shape).float()
    points[:, 1::2] = points[:, ::2]
    empty = torch.rand(shape[:2]) < .3
    picks = farthest_point_sampling(points, num_samples, empty, pick_empty)
    monkeypatch.setenv('MMHIERSEG_COMPILED', '0')
    assert torch.equal(
        farthest_point_sampling(points, num_samples, empty, pick_empty), picks)


def test_quirk_empty_points_lie_at_the_mean():
    points = random_points(batch=1, num=6)
    empty = torch.tensor([[False, True, False, False, True, False]])
    filled = points.clone()
    filled[0, empty[0]] = points[0, ~empty[0]].mean(0)
    picks = farthest_point_sampling(points, 5, empty, pick_empty=True)
    assert torch.equal(picks, farthest_point_sampling(filled, 5))
    assert farthest_point_sampling(
        points, 9, empty, pick_empty=True).min() >= 0


def test_nan_gives_valid_indices():
    """A step that overflows in half precision is skipped, not a crash."""
    points = random_points()
    points[1], points[2, 3] = float('nan'), float('nan')
    picks = farthest_point_sampling(points, 9)
    assert 0 <= picks.min() and picks.max() < 20
    assert torch.equal(picks[0], farthest_point_sampling(points[:1], 9)[0])


def test_is_one_operator_of_a_graph():
    points = random_points().requires_grad_()
    empty = torch.zeros(3, 20, dtype=torch.bool)
    empty[1, 4:] = True
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    traced = torch.compile(
        farthest_point_sampling, backend=backend, fullgraph=True)
    assert torch.equal(
        traced(points, 6, empty), farthest_point_sampling(points, 6, empty))
    assert len(graphs) == 1 and len(graphs[0].graph.nodes) < 10
    torch.library.opcheck(
        torch.ops.mmhierseg.farthest_points.default,
        (points.detach(), 6, empty, False))
