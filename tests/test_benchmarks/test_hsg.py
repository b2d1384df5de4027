import pytest
import torch

from benchmarks import hsg
from benchmarks.hsg_batch import make_batch


@pytest.fixture(scope='module')
def batch():
    return make_batch(3, size=14, channels=16, num_regions=9)


def test_batch_is_like_those_of_training(batch):
    """Some segments in each region, regions in both views, one sequence."""
    segments = batch.views
    assert batch.embeddings.shape == (6, 16, 14, 14)
    number = torch.bincount(segments.views, minlength=6)
    assert (number > 9).all() and (number < 9 * 16).all()
    assert batch.sequences.padding.shape == (3, 256)
    shared = 0
    for label in batch.labels[0].unique():
        views = segments.views[batch.labels[0] == label].unique()
        # Only the two views of one image have a region in common.
        assert len(set((views % 3).tolist())) == 1
        shared += len(views) == 2
    assert shared > 9


@pytest.mark.parametrize('name', hsg.WORKS)
def test_package_agrees_with_the_naive_reference(batch, name):
    results = [getattr(version, name)(batch)
               for version in hsg.VERSIONS.values()]
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
    if name == 'kmeans':
        return
    gradients = [
        torch.autograd.grad(result.sum(), batch.leaves(), allow_unused=True)
        for result in results
    ]
    used = [x for x in gradients[0] if x is not None]
    assert len(used) == (2 if name == 'contrast' else 3)
    for own, other in zip(*gradients):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)
