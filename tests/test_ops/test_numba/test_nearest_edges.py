"""The twin in torch is what the compiled one is compared with."""

import sys

import pytest
import torch
import torch.nn.functional as F

from mmhierseg.ops import knn_adjacency
from mmhierseg.ops._numba import has_numba

# The package has a function of the same name.
MODULE = sys.modules['mmhierseg.ops.graph']

pytestmark = pytest.mark.skipif(not has_numba(), reason='needs numba')


def sequences(dtype=torch.float32, seed=0):
    """(4, 30, 6) features, padding anywhere, and views that are mixed up."""
    generator = torch.Generator().manual_seed(seed)
    features = F.normalize(
        torch.randn(4, 30, 6, generator=generator, dtype=dtype), dim=2)
    padding = torch.rand(4, 30, generator=generator) < 0.3
    padding[1] = True
    padding[2, 1:] = True
    padding[2, 0] = False
    views = torch.randint(0, 4, (4, 30), generator=generator) * 2**40
    return features, padding, views


@pytest.mark.parametrize('k', [1, 2, 5, 40])
@pytest.mark.parametrize('within', [True, False])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_same_edges(monkeypatch, k, within, dtype):
    features, padding, views = sequences(dtype)
    # As similar as another one, and as itself.
    features[0, 7] = features[0, 3] = features[0, 12]
    options = dict(padding=padding, views=views if within else None)
    got = knn_adjacency(features, k, **options)
    monkeypatch.setenv('MMHIERSEG_COMPILED', '0')
    assert torch.equal(got, knn_adjacency(features, k, **options))
    assert got.dtype == dtype
    # The one segment of an image has an edge to itself.
    assert got[2].nonzero().tolist() == [[0, 0]]


@pytest.mark.parametrize('compiled', ['0', '1'])
def test_few_images_at_a_time(monkeypatch, compiled):
    monkeypatch.setenv('MMHIERSEG_COMPILED', compiled)
    features, padding, views = sequences()
    wanted = knn_adjacency(features, 2, padding, views)
    monkeypatch.setattr(MODULE, '_EDGES', 1)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)
    assert torch.equal(knn_adjacency(features, 2, padding, views), wanted)


def test_padding_may_hold_anything():
    features, padding, views = sequences()
    wanted = knn_adjacency(features, 3, padding, views)
    features = features.masked_fill(padding[..., None], torch.nan)
    assert torch.equal(knn_adjacency(features, 3, padding, views), wanted)
