import pytest
import torch
import torch.nn.functional as F
from helpers.hsg_golden import RECIPES, hsg_golden
from helpers.hsg_segments import same_partition, views_with_regions

from mmhierseg.ops import (
    cluster_views,
    cut_clusters,
    location_features,
)


def slow_features(view):
    """(h w, D + 2), one pixel at a time."""
    _, height, width = view.shape
    y, x = torch.linspace(0, 1, height), torch.linspace(0, 1, width)
    return torch.stack([
        F.normalize(
            torch.cat([
                F.normalize(view[:, i, j], dim=0),
                torch.stack([y[i], x[j]]).to(view) - 0.5
            ]),
            dim=0) for i in range(height) for j in range(width)
    ])


def slow_clusters(view, grid_size, iterations, ignored):
    """One view, one cluster and one pixel at a time."""
    _, height, width = view.shape
    features = slow_features(view)
    keep = ~ignored.flatten()
    rows = torch.linspace(0, grid_size[0] - 1, height).round().long()
    columns = torch.linspace(0, grid_size[1] - 1, width).round().long()
    labels = (rows[:, None] * grid_size[1] + columns).flatten()
    for _ in range(iterations):
        prototypes = {
            int(k): F.normalize(features[keep & (labels == k)].sum(0), dim=0)
            for k in labels[keep].unique()
        }
        labels = torch.tensor([
            max(prototypes, key=lambda k, f=f: float(f @ prototypes[k]))
            for f in features
        ])
    return labels.masked_fill(~keep, -1).view(height, width)


@pytest.mark.parametrize('recipe', RECIPES)
def test_partition_of_authors(recipe):
    values, meta = hsg_golden(recipe)
    clusters = cluster_views(values['embedding'], meta['kmeans_num_clusters'],
                             meta['kmeans_iterations'], values['ignore'])
    regions = values['over_segmentation'].long()
    parts = cut_clusters(clusters, regions.masked_fill(values['ignore'], -1))
    valid = ~values['ignore']
    assert torch.equal(parts.labels >= 0, valid)
    segments = parts.labels[valid]
    assert same_partition(segments, values['pixel_cluster_index'])
    assert torch.equal(parts.views[segments], values['pixel_batch_index'])


def test_features():
    embeddings, _ = views_with_regions()
    got = location_features(embeddings)
    for view, features in zip(embeddings, got):
        torch.testing.assert_close(
            features, slow_features(view), atol=1e-7, rtol=0)


@pytest.mark.parametrize('grid_size', [(2, 3), (1, 1), (4, 2)])
@pytest.mark.parametrize('iterations', [1, 6])
def test_slow_reference(grid_size, iterations):
    embeddings, regions = views_with_regions()
    ignored = regions < 0
    got = cluster_views(embeddings, grid_size, iterations, ignored)
    for i, view in enumerate(embeddings):
        assert torch.equal(
            got[i], slow_clusters(view, grid_size, iterations, ignored[i]))


def test_views_do_not_matter_to_each_other():
    embeddings, regions = views_with_regions()
    ignored = regions < 0
    together = cluster_views(embeddings, (2, 2), 5, ignored)
    for i in range(len(embeddings)):
        alone = cluster_views(embeddings[i:i + 1], (2, 2), 5,
                              ignored[i:i + 1])
        assert torch.equal(together[i:i + 1], alone)


def test_ignored_pixels_have_no_say():
    embeddings, regions = views_with_regions()
    ignored = regions < 0
    wanted = cluster_views(embeddings, (2, 2), 5, ignored)
    embeddings = embeddings.masked_fill(ignored[:, None], torch.nan)
    got = cluster_views(embeddings, (2, 2), 5, ignored)
    assert torch.equal(got, wanted)
    assert torch.equal(got < 0, ignored)


@pytest.mark.parametrize('iterations', [1, 2, 15])
def test_pixels_of_nan_are_not_lost(iterations):
    """Else a network that has diverged would be without loss."""
    embeddings = torch.randn(3, 4, 5, 6)
    ignored = torch.zeros(3, 5, 6, dtype=torch.bool)
    ignored[:, 1:3, 2] = True
    expected = cluster_views(embeddings, (2, 2), iterations, ignored)
    embeddings[1, :, 4, 4] = torch.nan
    embeddings[2] = torch.nan
    labels = cluster_views(embeddings, (2, 2), iterations, ignored)
    assert torch.equal(labels[0], expected[0])
    assert torch.equal(labels < 0, ignored)
    assert labels.max() < 4


def test_view_with_every_pixel_ignored():
    embeddings, _ = views_with_regions(views=2)
    ignored = torch.zeros(2, 5, 7, dtype=torch.bool)
    ignored[0] = True
    got = cluster_views(embeddings, (2, 2), 3, ignored)
    assert (got[0] == -1).all() and (got[1] >= 0).all()


def test_non_contiguous_half_precision_and_length():
    embeddings, _ = views_with_regions()
    wanted = cluster_views(embeddings, (2, 2))
    turned = embeddings.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1)
    assert not turned.is_contiguous()
    assert torch.equal(cluster_views(turned, (2, 2)), wanted)
    assert torch.equal(cluster_views(turned * 100, (2, 2)), wanted)
    half = embeddings.half()
    assert torch.equal(
        cluster_views(half, (2, 2)), cluster_views(half.float(), (2, 2)))


@pytest.mark.parametrize('size', [(1, 6), (6, 1), (1, 1)])
def test_sides_of_one_pixel(size):
    """A grid finer than the map leaves clusters empty."""
    got = cluster_views(torch.ones(2, 3, *size), (3, 3))
    assert got.shape == (2, *size) and (got >= 0).all()
    assert torch.isfinite(location_features(torch.zeros(2, 3, *size))).all()


def test_no_gradient():
    embeddings, _ = views_with_regions()
    assert not cluster_views(embeddings.requires_grad_(),
                             (2, 2)).requires_grad


@pytest.mark.parametrize('change, error, match', [
    (dict(embeddings=torch.ones(2, 3, 4).double()), ValueError,
     r'\(V, D, h, w\)'),
    (dict(embeddings=torch.ones(2, 3, 0, 4)), ValueError, r'\(2, 3, 0, 4\)'),
    (dict(embeddings=torch.ones(2, 3, 4, 5).long()), TypeError,
     'floating-point, got torch.int64'),
    (dict(grid_size=(0, 2)), ValueError, r'`grid_size` .* got \(0, 2\)'),
    (dict(num_iterations=0), ValueError, '`num_iterations` .* got 0'),
    (dict(ignored=torch.zeros(2, 4, 5)), TypeError, '`ignored` must be bool'),
    (dict(ignored=torch.zeros(2, 5, 4).bool()), ValueError,
     r'`ignored` must have shape \(2, 4, 5\).* got \(2, 5, 4\)'),
])
def test_bad_input(change, error, match):
    options = dict(embeddings=torch.ones(2, 3, 4, 5), grid_size=(2, 2))
    with pytest.raises(error, match=match):
        cluster_views(**{**options, **change})
