import pytest
import torch
import torch.nn.functional as F
from helpers.hsg_segments import views_with_regions

from mmhierseg import ops


def random_points():
    """(2, 30, 5) features and labels in [-1, 5]."""
    torch.manual_seed(1)
    features = torch.randn(2, 30, 5)
    return features, torch.randint(-1, 6, (2, 30))


def slow(features, labels, num_clusters, num_iterations):
    """One image, one cluster and one point at a time."""
    features = F.normalize(features, dim=1)
    for _ in range(num_iterations):
        prototypes = {
            k: F.normalize(features[labels == k].sum(0), dim=0)
            for k in range(num_clusters)
        }
        labels = torch.tensor([
            max(prototypes, key=lambda k, f=f: float(f @ prototypes[k]))
            for f in features
        ])
    return labels


@pytest.mark.parametrize('iterations', [1, 4])
def test_slow_reference(iterations, monkeypatch):
    features, labels = random_points()
    empty = torch.zeros_like(labels, dtype=torch.bool)
    empty[0, ::3] = True
    features[empty] = torch.nan
    got = ops.spherical_kmeans(features, labels, 7, iterations, empty)
    assert torch.equal(got < 0, empty)
    for image, start, found, keep in zip(features, labels, got, ~empty):
        assert torch.equal(
            found[keep], slow(image[keep], start[keep], 7, iterations))
    # In blocks of points and of images.
    monkeypatch.setattr(ops.kmeans, 'POINTS', 7)
    monkeypatch.setattr(ops.kmeans, '_CHUNK', 1)
    assert torch.equal(
        ops.spherical_kmeans(features, labels, 7, iterations, empty), got)


def test_hierarchy():
    """As level by level, image by image, of features as they are."""
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(3, 200, 6, generator=generator)
    features *= torch.rand(3, 200, 1, generator=generator) + 0.1
    labels, parents = ops.kmeans_hierarchy(features, (12, 6, 3), 5, seed=4)
    assert [p.shape for p in parents] == [(3, 12), (3, 6)]
    for image in range(3):
        draws, points = torch.Generator().manual_seed(4), features[image]
        for number, size, got in zip((12, 6, 3), (200, 12, 6), (
                labels[image], parents[0][image], parents[1][image])):
            clusters = torch.randint(number, (size, ), generator=draws)
            clusters = clusters[:len(points)]
            for _ in range(5):
                used = [k for k in range(number) if (clusters == k).any()]
                centres = torch.stack([
                    F.normalize(points[clusters == k].sum(0), dim=0)
                    for k in used])
                clusters = torch.tensor(used)[(points @ centres.T).argmax(1)]
            used, clusters = clusters.unique(return_inverse=True)
            assert torch.equal(got[:len(points)], clusters)
            assert (got[len(points):] == -1).all()
            points = torch.stack([
                F.normalize(points[clusters == k].sum(0), dim=0)
                for k in range(len(used))])
        alone = ops.kmeans_hierarchy(
            features[image:image + 1], (12, 6, 3), 5, 4)
        assert torch.equal(alone[0][0], labels[image])
    assert not torch.equal(
        ops.kmeans_hierarchy(features, (12, 6, 3), 5)[0], labels)


def test_empty_clusters_and_ties():
    """All cosines with cluster 0 are negative; an empty one has 0."""
    features = torch.tensor([[[1., 0.], [-1., .1], [-1., -.1]]])
    got = ops.spherical_kmeans(features, torch.tensor([[0, 2, 2]]), 3)
    assert got.tolist() == [[0, 2, 2]]
    far = ops.nearest_prototype(
        torch.tensor([[[-1., 0.]]]), torch.tensor([[[0., 0.], [1., 0.]]]),
        torch.tensor([[True, False]]))
    assert far.tolist() == [[1]]
    # As in HSG, it wins the points that all others point away from.
    got = ops.spherical_kmeans(features, torch.tensor([[0, -1, -1]]), 2, 1)
    assert got.tolist() == [[0, 1, 1]]
    # Ties go to the first.
    features = torch.tensor([[[1., 0.], [1., 0.], [0., 1.], [1., 0.]]])
    got = ops.spherical_kmeans(features, torch.tensor([[1, 2, 0, 2]]), 3, 1)
    assert got.tolist() == [[1, 1, 0, 1]]
    # Products with equal prototypes are rounded differently by their place.
    for channels in (3, 34, 67, 130):
        generator = torch.Generator().manual_seed(channels)
        points = torch.randn(1, 784, channels, generator=generator)
        for x in (points, points.double()):
            assert not ops.nearest_prototype(
                x, x[:, :1].repeat(1, 7, 1)).any()
    # A grid finer than the map leaves clusters empty.
    for size in ((1, 6), (6, 1), (1, 1)):
        got = ops.cluster_views(torch.ones(2, 3, *size), (3, 3))
        assert got.shape == (2, *size) and (got >= 0).all()


def test_sums():
    """CPUs take one form, GPUs the other; some labels have no point."""
    features, labels = random_points()
    got, sizes = ops.sum_by_label(features, labels, 8)
    belongs = labels[..., None] == torch.arange(8)
    wanted = torch.einsum('bnk,bnc->bkc', belongs.float(), features)
    torch.testing.assert_close(got, wanted)
    torch.testing.assert_close(
        ops.label_sums.sum_by_product(features, labels, 8), wanted)
    assert torch.equal(sizes, belongs.sum(dim=1))


def slow_clusters(view, grid_size, iterations, ignored):
    """Embedding and location of one pixel at a time."""
    size, keep = view.shape[1:], ~ignored.flatten()
    positions = torch.cartesian_prod(*(torch.linspace(0, 1, n) for n in size))
    features = torch.stack([
        torch.cat([F.normalize(pixel, dim=0), position.to(pixel) - 0.5])
        for pixel, position in zip(view.flatten(1).t(), positions)])
    labels = ops.grid_clusters(positions[None], grid_size)[0]
    labels[keep] = slow(features[keep], labels[keep], int(labels.max()) + 1,
                        iterations)
    return labels.masked_fill(~keep, -1).view(size)


@pytest.mark.parametrize('grid_size', [(2, 3), (1, 1), (4, 2)])
@pytest.mark.parametrize('iterations', [1, 6])
def test_views_slow_reference(grid_size, iterations):
    """Ignored pixels have no effect, nor does the batch."""
    embeddings, _, regions = views_with_regions()
    ignored = regions < 0
    ignored[2] = True
    got = ops.cluster_views(
        embeddings.masked_fill(ignored[:, None], torch.nan).requires_grad_(),
        grid_size, iterations, ignored)
    assert torch.equal(got < 0, ignored) and not got.requires_grad
    for i in (0, 1, 3):
        assert torch.equal(
            got[i],
            slow_clusters(embeddings[i], grid_size, iterations, ignored[i]))


@pytest.mark.parametrize('iterations', [1, 2, 15])
def test_nan_gets_some_cluster(iterations):
    """Else a network that has diverged would be without loss."""
    embeddings = torch.randn(3, 4, 5, 6)
    ignored = torch.zeros(3, 5, 6, dtype=torch.bool)
    ignored[:, 1:3, 2] = True
    expected = ops.cluster_views(embeddings, (2, 2), iterations, ignored)
    embeddings[1, :, 4, 4] = torch.nan
    embeddings[2] = torch.nan
    labels = ops.cluster_views(embeddings, (2, 2), iterations, ignored)
    assert torch.equal(labels[0], expected[0])
    assert torch.equal(labels < 0, ignored)
    assert labels.max() < 4
