import pytest
import torch
import torch.nn.functional as F

from mmhierseg import ops


def sequences(dtype=torch.float64, ties=False):
    """(4, 11, 4) features, padding, and views that are mixed up.

    Of the last two images one has a single segment, one none.
    """
    torch.manual_seed(0)
    features = F.normalize(torch.randn(4, 11, 4, dtype=dtype), dim=2)
    if ties:
        features = F.one_hot(features.argmax(2)).to(dtype)
    padding = torch.zeros(4, 11, dtype=torch.bool)
    padding[1, [0, 5, 10]] = padding[2, 1:] = padding[3] = True
    views = torch.randint(0, 4, (4, 11)) * 2**40
    return features, padding, views


def slow(features, k, padding, views):
    """One image, one segment and one view at a time."""
    adjacency = torch.zeros(*padding.shape, padding.size(1))
    for b, image in enumerate(features):
        nodes = (~padding[b]).nonzero().flatten().tolist()
        for i in nodes:
            weight = {
                j: float(torch.exp(5 * image[i] @ image[j]))
                for j in nodes if j != i or len(nodes) == 1
            }
            for view in set(views[b].tolist()):
                inside = [j for j in weight if views[b, j] == view]
                inside.sort(key=lambda j, w=weight: -w[j])
                # All that are as similar as the k-th.
                for j in inside:
                    if weight[j] >= weight[inside[:k][-1]]:
                        adjacency[b, i, j] = 1
    return adjacency.to(features)


@pytest.mark.parametrize('k', [1, 2, 5, 40])
@pytest.mark.parametrize('within', [True, False])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('ties', [True, False])
def test_edges_slow_reference(implementation, k, within, dtype, ties):
    features, padding, views = sequences(dtype, ties)
    wanted = slow(features, k, padding, views if within else 0 * views)
    got = ops.knn_adjacency(features, k, padding, views if within else None)
    assert torch.equal(got, wanted)
    assert got[2].nonzero().tolist() == [[0, 0]] and got[3].sum() == 0
    # Edges are not made symmetric.
    assert ties or k > 2 or not torch.equal(got, got.transpose(1, 2))


def test_edges_ignore_padding_and_names(implementation, monkeypatch):
    features, padding, views = sequences()
    wanted = ops.knn_adjacency(features, 2, padding, views)
    features = features.masked_fill(padding[..., None], torch.nan)
    longer = ops.knn_adjacency(
        F.pad(features, (0, 0, 0, 5), value=torch.nan), 2,
        F.pad(padding, (0, 5), value=True), F.pad(views, (0, 5), value=-1))
    assert torch.equal(longer[:, :11, :11], wanted)
    assert longer[:, 11:].sum() == longer[:, :, 11:].sum() == 0
    # Few images at a time.
    monkeypatch.setattr(ops.graph, '_EDGES', 1)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)
    renamed = 3 - views // 2**40
    got = ops.knn_adjacency(features.requires_grad_(), 2, padding, renamed)
    assert torch.equal(got, wanted) and not got.requires_grad


def graphs():
    """Assignments (2, 6, 3), edges, and padding of the second image."""
    torch.manual_seed(0)
    assignment = torch.randn(2, 6, 3, dtype=torch.float64).softmax(2)
    adjacency = (torch.rand(2, 6, 6) < .4).double()
    padding = torch.zeros(2, 6, dtype=torch.bool)
    padding[1, 4:] = True
    adjacency = adjacency.masked_fill(padding[:, None] | padding[..., None], 0)
    return assignment.requires_grad_(), adjacency, padding


def slow_modularity(s, a):
    """One image, as in the formula, nodes in the columns of S'."""
    d = a.sum(1, keepdim=True)
    m2 = 2 * d.sum()
    return 1 - torch.trace(s.t() @ a @ s - s.t() @ d @ d.t() @ s / m2) / m2


def test_losses_slow_reference():
    assignment, adjacency, padding = graphs()
    # Padding and the names of groups have no effect.
    assignment = assignment.masked_fill(padding[..., None], torch.nan)
    got = ops.modularity_loss(assignment[..., [2, 0, 1]], adjacency, padding)
    torch.testing.assert_close(
        got[0], slow_modularity(assignment[0], adjacency[0]))
    torch.testing.assert_close(
        got[1], slow_modularity(assignment[1, :4], adjacency[1, :4, :4]))
    # S'AS is K (n/2)^2 = 500 000, beyond half precision.
    half = torch.full((1, 1000, 2), .5).half()
    modularity = ops.modularity_loss(half, torch.ones(1, 1000, 1000))
    torch.testing.assert_close(modularity, torch.tensor([.875]))
    torch.testing.assert_close(ops.collapse_loss(half), torch.ones(1))
    # Padding has no assignment, but counts: n is 6.
    for loss, image in zip(
            ops.collapse_loss(assignment, padding),
            (assignment[0], assignment[1, :4])):
        torch.testing.assert_close(loss, image.sum(0).norm() * 3**0.5 / 6)


def test_losses_without_segments_or_edges():
    assignment, adjacency, padding = graphs()
    padding[1] = True
    modularity = ops.modularity_loss(assignment, 0 * adjacency, padding)
    collapse = ops.collapse_loss(assignment, padding)
    assert modularity.tolist() == [1, 1] and collapse[1] == 0
    (modularity + collapse).sum().backward()
    assert torch.isfinite(assignment.grad).all()
    assert (assignment.grad[1] == 0).all()
