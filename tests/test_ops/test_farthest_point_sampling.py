import pytest
import torch

from mmhierseg.ops import farthest_point_sampling


def random_points(batch=3, num=20, channels=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, num, channels, generator=generator)


def slow_sampling(points, num_samples, empty=None):
    """Distances themselves, one image and one step at a time."""
    picks = []
    for b, image in enumerate(points.double()):
        keep = torch.ones(len(image), dtype=torch.bool)
        if empty is not None:
            keep = ~empty[b]
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


def test_agrees_with_slow_reference():
    points = random_points()
    assert torch.equal(
        farthest_point_sampling(points, 9), slow_sampling(points, 9))


def test_empty_points_are_left_out():
    points = random_points()
    empty = torch.zeros(3, 20, dtype=torch.bool)
    empty[0, 3:8] = empty[2, ::2] = True
    picks = farthest_point_sampling(points, 6, empty)
    assert torch.equal(picks, slow_sampling(points, 6, empty))
    assert not empty.gather(1, picks).any()
    # What empty points hold plays no part.
    points[empty] = 1e3
    assert torch.equal(farthest_point_sampling(points, 6, empty), picks)


def test_never_a_point_twice_even_among_duplicates():
    points = torch.ones(2, 12, 4)
    points[1, :3] = 2
    picks = farthest_point_sampling(points, 12)
    assert (picks.sort(1).values == torch.arange(12)).all()


def test_first_of_equally_far_points():
    points = torch.tensor([[[-1.], [1.], [0.]]])
    assert farthest_point_sampling(points, 2).tolist() == [[0, 1]]


def test_more_samples_than_points():
    points = random_points(batch=2, num=4)
    empty = torch.tensor([[False, True, False, True], [True] * 4])
    picks = farthest_point_sampling(points, 6, empty)
    assert sorted(picks[0].tolist()) == [-1, -1, -1, -1, 0, 2]
    assert (picks[1] == -1).all()


def test_quirk_empty_points_lie_at_the_mean():
    points = random_points(batch=1, num=6)
    empty = torch.tensor([[False, True, False, False, True, False]])
    filled = points.clone()
    filled[0, empty[0]] = points[0, ~empty[0]].mean(0)
    picks = farthest_point_sampling(points, 5, empty, pick_empty=True)
    assert torch.equal(picks, farthest_point_sampling(filled, 5))
    assert farthest_point_sampling(
        points, 9, empty, pick_empty=True).min() >= 0


def test_offset_and_precision_do_not_change_picks():
    points = random_points(num=100).double()
    shifted = points + 1e4
    assert torch.equal(
        farthest_point_sampling(shifted, 40),
        farthest_point_sampling(points, 40))


def test_independent_of_batch_mates_and_permutation():
    points = random_points()
    picks = farthest_point_sampling(points, 7)
    assert torch.equal(farthest_point_sampling(points[1:2], 7), picks[1:2])
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    assert torch.equal(order[farthest_point_sampling(points[:, order], 7)],
                       picks)


def test_nan_gives_indices_that_exist():
    """A step that overflows in half precision is skipped, not a crash."""
    points = random_points()
    points[1] = float('nan')
    picks = farthest_point_sampling(points, 9)
    assert 0 <= picks.min() and picks.max() < 20
    assert torch.equal(picks[0], farthest_point_sampling(points[:1], 9)[0])


def test_runs_under_autocast_in_float64():
    points = random_points()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        picks = farthest_point_sampling(points, 9)
    assert torch.equal(picks, farthest_point_sampling(points, 9))


@pytest.mark.parametrize('points, num, empty, error, message', [
    (torch.zeros(2, 3), 1, None, ValueError,
     r'`points` must have shape \(B, N, C\)'),
    (torch.zeros(1, 0, 2), 1, None, ValueError, 'N at least 1'),
    (torch.zeros(1, 3, 2), 0, None, ValueError,
     '`num_samples` must be at least 1'),
    (torch.zeros(1, 3, 2), 1, torch.zeros(1, 2).bool(), ValueError,
     r'`empty` must have shape \(1, 3\), got \(1, 2\)'),
    (torch.zeros(1, 3, 2), 1, torch.zeros(1, 3), TypeError,
     '`empty` must be bool, got torch.float32'),
])
def test_exceptions(points, num, empty, error, message):
    with pytest.raises(error, match=message):
        farthest_point_sampling(points, num, empty)


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
