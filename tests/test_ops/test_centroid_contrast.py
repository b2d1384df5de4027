import pytest
import torch
import torch.nn.functional as F

from mmhierseg.ops import centroid_contrast


def centroids(number=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(number, 4, generator=generator).double()


def slow(values, i, kappa):
    scores = [
        torch.exp(kappa * F.cosine_similarity(values[i], other, dim=0))
        for other in values
    ]
    return -torch.log(scores[i] / sum(scores))


@pytest.mark.parametrize('kappa', [1., 16.])
def test_slow_reference(kappa):
    values = centroids()
    wanted = torch.stack([slow(values, i, kappa) for i in range(6)])
    torch.testing.assert_close(
        centroid_contrast(values, concentration=kappa), wanted)


def test_some_of_all():
    values = centroids()
    torch.testing.assert_close(
        centroid_contrast(values[2:5], values, 2),
        centroid_contrast(values)[2:5])


def test_gradcheck():
    assert torch.autograd.gradcheck(centroid_contrast,
                                    centroids().requires_grad_())


def test_alone_is_no_loss_and_zero_is_finite():
    assert centroid_contrast(centroids(1)).tolist() == [0]
    zero = torch.zeros(3, 4, requires_grad=True)
    centroid_contrast(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()


@pytest.mark.parametrize('some, everything, first', [
    (centroids()[None], None, 0),
    (centroids(), centroids(5), 0),
    (centroids(3), centroids(), 4),
    (centroids(3), centroids()[:, :2], 0),
])
def test_bad_input(some, everything, first):
    with pytest.raises(ValueError, match='must be among `all_centroids`'):
        centroid_contrast(some, everything, first)
