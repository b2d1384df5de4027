"""The twin in torch is what the compiled one is compared with."""

import pytest
import torch
import torch.nn.functional as F

from mmhierseg.ops import cluster_views, kmeans, spherical_kmeans
from mmhierseg.ops._numba import has_numba
from mmhierseg.ops._numba import kmeans as compiled

pytestmark = pytest.mark.skipif(not has_numba(), reason='needs numba')


def features(batch=3, points=70, channels=11, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(1, 6, channels, generator=generator)
    groups = torch.randint(0, 6, (batch, points), generator=generator)
    noise = torch.randn(batch, points, channels, generator=generator)
    return centres[0][groups] + 0.8 * noise


def both(monkeypatch, function, *args, **options):
    """Results of the compiled function, and of the one in torch."""
    called = []
    twin = compiled.cluster_images
    with monkeypatch.context() as patch:
        patch.setattr(kmeans, 'cluster_images',
                      lambda *values: called.append(1) or twin(*values))
        ours = function(*args, **options)
    assert called
    with monkeypatch.context() as patch:
        patch.setenv('MMHIERSEG_COMPILED', '0')
        return ours, function(*args, **options)


@pytest.mark.parametrize('iterations', [1, 2, 15])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_same_labels(monkeypatch, iterations, dtype):
    start = torch.arange(70).expand(3, -1) % 7 - 1  # some have none at first
    got, wanted = both(monkeypatch, spherical_kmeans, features().to(dtype),
                       start, 6, iterations)
    assert torch.equal(got, wanted)
    assert got.min() == 0 and len(got.unique()) == 6


@pytest.mark.parametrize('clusters', [1, 3, 4, 9])
def test_points_left_out_and_lost_clusters(monkeypatch, clusters):
    generator = torch.Generator().manual_seed(1)
    empty = torch.rand(3, 70, generator=generator) < 0.3
    empty[1] = True
    values = features().masked_fill(empty[..., None], torch.nan)
    # The last cluster of each image has no point.
    start = torch.arange(70).expand(3, -1) % max(clusters - 1, 1)
    got, wanted = both(monkeypatch, spherical_kmeans, values, start, clusters,
                       empty=empty)
    assert torch.equal(got, wanted)
    assert torch.equal(got < 0, empty)


@pytest.mark.parametrize('kept', [1, 100, 350])
def test_blocks(monkeypatch, kept):
    """As where the similarities of an image are too many to be kept."""
    start = torch.arange(70).expand(3, -1) % 5
    wanted = spherical_kmeans(features(), start, 5)
    monkeypatch.setattr(compiled, '_KEPT', kept)
    assert torch.equal(spherical_kmeans(features(), start, 5), wanted)


def test_views_in_chunks(monkeypatch):
    generator = torch.Generator().manual_seed(2)
    embeddings = F.interpolate(
        torch.randn(5, 7, 3, 3, generator=generator), (9, 12),
        mode='bicubic')
    ignored = torch.rand(5, 9, 12, generator=generator) < 0.2
    wanted = cluster_views(embeddings, (2, 3), 15, ignored)
    monkeypatch.setattr(kmeans, '_CHUNK', 2 * 7 * 9 * 12)
    got, by_torch = both(monkeypatch, cluster_views,
                         embeddings.permute(0, 1, 3, 2).contiguous().permute(
                             0, 1, 3, 2), (2, 3), 15, ignored)
    assert torch.equal(got, wanted)
    assert torch.equal(by_torch, wanted)


def test_ties_go_to_the_first(monkeypatch):
    """Two clusters at the same place, and points that both have."""
    values = torch.tensor([[[1., 0.], [1., 0.], [0., 1.], [1., 0.]]])
    got, wanted = both(monkeypatch, spherical_kmeans, values,
                       torch.tensor([[1, 2, 0, 2]]), 3, 1)
    assert torch.equal(got, wanted)
    assert got.tolist() == [[1, 1, 0, 1]]


def test_what_is_not_a_number_keeps_a_label(monkeypatch):
    values = features(1)
    values[0, 3] = torch.nan
    for got in both(monkeypatch, spherical_kmeans, values,
                    torch.arange(70)[None] % 4, 4):
        assert 0 <= int(got.min()) and int(got.max()) < 4
