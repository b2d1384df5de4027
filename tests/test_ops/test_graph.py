import pytest
import torch
import torch.nn.functional as F

from mmhierseg.ops import knn_adjacency


def sequences(seed=0):
    """(3, 9, 4) features, padding, and views that are mixed up."""
    generator = torch.Generator().manual_seed(seed)
    features = F.normalize(
        torch.randn(3, 9, 4, generator=generator, dtype=torch.float64), dim=2)
    padding = torch.zeros(3, 9, dtype=torch.bool)
    padding[1, 6:] = padding[2, 2:] = True
    views = torch.randint(3, 6, (3, 9), generator=generator)
    views[2, :2] = torch.tensor([3, 5])
    return features, padding, views.masked_fill(padding, -1)


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
                adjacency[b, i, inside[:k]] = 1
    return adjacency.to(features)


@pytest.mark.parametrize('k', [1, 2, 4, 20])
@pytest.mark.parametrize('within', [True, False])
def test_slow_reference(k, within):
    features, padding, views = sequences()
    wanted = slow(features, k, padding, views if within else 0 * views)
    assert torch.equal(
        knn_adjacency(features, k, padding, views if within else None), wanted)


def test_degrees():
    features, padding, views = sequences()
    within = knn_adjacency(features, 1, padding, views)
    # From a segment one edge to each view that has another segment.
    for b in range(3):
        for i in (~padding[b]).nonzero().flatten():
            others = torch.cat([views[b, :i], views[b, i + 1:]])
            assert within[b, i].sum() == len(others[others >= 0].unique())
    of_all = knn_adjacency(features, 3, padding)
    assert of_all.sum(2).tolist() == [[3] * 9, [3] * 6 + [0] * 3,
                                      [1] * 2 + [0] * 7]
    # Edges are not made symmetric.
    assert not torch.equal(of_all, of_all.transpose(1, 2))


def test_padding_does_not_matter():
    features, padding, views = sequences()
    wanted = knn_adjacency(features, 2, padding, views)
    features = features.masked_fill(padding[..., None], torch.nan)
    longer = knn_adjacency(
        F.pad(features, (0, 0, 0, 5), value=torch.nan), 2,
        F.pad(padding, (0, 5), value=True), F.pad(views, (0, 5), value=-1))
    assert torch.equal(longer[:, :9, :9], wanted)
    assert longer[:, 9:].sum() == longer[:, :, 9:].sum() == 0
    assert wanted[padding].sum() == 0


def test_images_and_names_of_views_do_not_matter():
    features, padding, views = sequences()
    wanted = knn_adjacency(features, 2, padding, views)
    for b in range(3):
        one = slice(b, b + 1)
        names = torch.tensor([0, 0, 0, 900, 2**40, 0])[views[one]]
        assert torch.equal(
            knn_adjacency(features[one], 2, padding[one], names), wanted[one])


def test_single_segments_and_none():
    """The only segment of an image is its own neighbour."""
    padding = torch.tensor([[False, True], [True, True]])
    got = knn_adjacency(torch.ones(2, 2, 3), 4, padding)
    assert got.tolist() == [[[1, 0], [0, 0]], [[0, 0], [0, 0]]]
    assert knn_adjacency(torch.ones(1, 1, 3), 1).tolist() == [[[1]]]


def test_ties_are_all_kept():
    features = torch.tensor([[[1., 0.], [0., 1.], [0., 1.], [0., -1.]]])
    assert knn_adjacency(features, 1)[0, 0].tolist() == [0, 1, 1, 1]


def test_no_gradient_and_half_precision():
    features, padding, views = sequences()
    half = features.half().requires_grad_()
    got = knn_adjacency(half, 2, padding, views)
    assert got.dtype == torch.float32 and not got.requires_grad
    assert torch.equal(got, knn_adjacency(half.float(), 2, padding, views))


@pytest.mark.parametrize('change, error, match', [
    (dict(features=torch.zeros(3, 9)), ValueError, r'\(B, N, C\)'),
    (dict(k=0), ValueError, '`k` must be at least 1, got 0'),
    (dict(padding=torch.zeros(3, 9)), TypeError, '`empty` must be bool'),
    (dict(views=torch.zeros(3, 8).long()), ValueError,
     r'`views` must have shape \(3, 9\), got \(3, 8\)'),
])
def test_bad_input(change, error, match):
    features, padding, views = sequences()
    options = dict(features=features, k=1, padding=padding, views=views)
    with pytest.raises(error, match=match):
        knn_adjacency(**{**options, **change})
