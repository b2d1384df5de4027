import pytest
import torch
import torch.nn.functional as F

from mmhierseg.ops import (
    grid_clusters,
    kmeans,
    nearest_prototype,
    spherical_kmeans,
    sum_by_label,
)


def blobs(batch=2, seed=0):
    """(B, 30, 8) features around three directions, and the true groups."""
    generator = torch.Generator().manual_seed(seed)
    centres = F.normalize(torch.randn(3, 8, generator=generator), dim=1)
    groups = torch.randint(0, 3, (batch, 30), generator=generator)
    noise = torch.randn(batch, 30, 8, generator=generator)
    return centres[groups] + 0.05 * noise, groups


def slow(features, labels, num_clusters, num_iterations):
    """One image, one point at a time."""
    features = F.normalize(features, dim=1)
    for _ in range(num_iterations):
        prototypes = [
            F.normalize(features[labels == k].sum(0), dim=0)
            if (labels == k).any() else None for k in range(num_clusters)
        ]
        labels = torch.tensor([
            max((k for k in range(num_clusters)
                 if prototypes[k] is not None),
                key=lambda k, f=f: float(f @ prototypes[k]))
            for f in features
        ])
    return labels


def test_finds_groups():
    features, groups = blobs()
    labels = groups.clone()
    labels[:, :5] = torch.arange(5) % 3  # a start that is partly wrong
    assert torch.equal(spherical_kmeans(features, labels, 3), groups)


@pytest.mark.parametrize('iterations', [1, 4])
def test_slow_reference(iterations):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, 23, 5, generator=generator)
    labels = torch.randint(0, 6, (2, 23), generator=generator)
    got = spherical_kmeans(features, labels, 7, iterations)
    for i in range(2):
        assert torch.equal(
            got[i], slow(features[i], labels[i], 7, iterations))


def test_blocks(monkeypatch):
    features, _ = blobs()
    start = torch.arange(30).expand(2, -1) % 5
    wanted = spherical_kmeans(features, start, 5)
    monkeypatch.setattr(kmeans, '_POINTS', 7)
    assert torch.equal(spherical_kmeans(features, start, 5), wanted)


def test_left_out_points_have_no_say():
    features, _ = blobs()
    start = torch.arange(30).expand(2, -1) % 4
    empty = torch.zeros(2, 30, dtype=torch.bool)
    empty[0, 20:] = empty[1, ::3] = True
    got = spherical_kmeans(
        features.masked_fill(empty[..., None], torch.nan), start, 4, 3, empty)
    assert torch.equal(got < 0, empty)
    for i in range(2):
        alone = spherical_kmeans(features[i:i + 1, ~empty[i]],
                                 start[i:i + 1, ~empty[i]], 4, 3)
        assert torch.equal(got[i, ~empty[i]], alone[0])


def test_image_of_nothing():
    features, _ = blobs()
    empty = torch.zeros(2, 30, dtype=torch.bool)
    empty[0] = True
    got = spherical_kmeans(features, torch.zeros(2, 30).long(), 1, 2, empty)
    assert (got[0] == -1).all() and (got[1] == 0).all()


def test_lost_clusters_stay_lost():
    """All cosines with cluster 0 are negative; an empty one is no nearer."""
    features = torch.tensor([[[1., 0.], [-1., .1], [-1., -.1]]])
    got = spherical_kmeans(features, torch.tensor([[0, 2, 2]]), 3)
    assert got.tolist() == [[0, 2, 2]]
    far = nearest_prototype(
        torch.tensor([[[-1., 0.]]]), torch.tensor([[[0., 0.], [1., 0.]]]),
        torch.tensor([[True, False]]))
    assert far.tolist() == [[1]]


def test_length_of_features_does_not_matter():
    features, _ = blobs()
    start = torch.arange(30).expand(2, -1) % 4
    scale = torch.arange(1, 31)[:, None]
    assert torch.equal(
        spherical_kmeans(features * scale, start, 4),
        spherical_kmeans(features, start, 4))


def test_sums():
    features, groups = blobs()
    sums, sizes = sum_by_label(features, groups, 4)
    for i in range(2):
        for k in range(4):
            chosen = features[i, groups[i] == k]
            torch.testing.assert_close(sums[i, k], chosen.sum(0))
            assert sizes[i, k] == len(chosen)


@pytest.mark.parametrize(
    'form', [kmeans._sum_by_index, kmeans._sum_by_product])
def test_both_forms_of_sums(form):
    """CPUs take one, GPUs the other; some labels are none, some empty."""
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(3, 5, 29, generator=generator).transpose(1, 2)
    labels = torch.randint(-1, 6, (3, 29), generator=generator)
    sums, sizes = form(features, labels, 8)
    belongs = labels[..., None] == torch.arange(8)
    torch.testing.assert_close(
        sums, torch.einsum('bnk,bnc->bkc', belongs.float(), features))
    assert torch.equal(sizes, belongs.sum(dim=1))


def test_grid_is_that_of_hsg():
    """Rounded linspace, rows first; H and W differ."""
    h, w = 7, 10
    y, x = torch.linspace(0, 1, h), torch.linspace(0, 1, w)
    positions = torch.cartesian_prod(y, x)[None]
    rows = torch.linspace(0, 2, h).round().long()
    columns = torch.linspace(0, 3, w).round().long()
    wanted = rows[:, None] * 4 + columns
    assert torch.equal(grid_clusters(positions, (3, 4)), wanted.view(1, -1))


@pytest.mark.parametrize('change, error, match', [
    (dict(features=torch.zeros(2, 30)), ValueError, r'\(B, N, C\)'),
    (dict(labels=torch.zeros(2, 30)), TypeError, '`labels` must be int64'),
    (dict(labels=torch.zeros(2, 29).long()), ValueError, r'\(2, 30\)'),
    (dict(labels=torch.full((2, 30), 3)), ValueError, '`num_clusters`, 3'),
    (dict(num_clusters=0), ValueError, '`num_clusters` .* got 0'),
    (dict(num_iterations=0), ValueError, '`num_iterations` .* got 0'),
    (dict(empty=torch.zeros(2, 30)), TypeError, '`empty` must be bool'),
])
def test_bad_input(change, error, match):
    features, groups = blobs()
    options = dict(features=features, labels=groups, num_clusters=3)
    with pytest.raises(error, match=match):
        spherical_kmeans(**{**options, **change})


def test_bad_grid():
    with pytest.raises(ValueError, match=r'`grid_size` .* got \(0, 2\)'):
        grid_clusters(torch.zeros(1, 1, 2), (0, 2))
