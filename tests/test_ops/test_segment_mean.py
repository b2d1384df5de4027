import sys

import pytest
import torch
import torch.nn.functional as F

from benchmarks.memory import peak_bytes
from mmhierseg.ops import segment_matrix, segment_mean, segment_sizes
from mmhierseg.ops.segment_weights import mean_by_pairs


@pytest.fixture(params=['counted pairs', 'pairs', 'matrix'])
def way(request, monkeypatch):
    """The CPU counts pairs; others do not, and have small matrices."""
    module = sys.modules[segment_mean.__module__]
    if request.param != 'counted pairs':
        monkeypatch.setattr(module, 'reads_are_free', lambda _: False)
    if request.param == 'pairs':
        monkeypatch.setattr(module, '_MATRIX_NUMEL', 0)
    return request.param


def random_case(seed=0, size=(12, 20), grid=(3, 4), num=5):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(3, 3, *grid, generator=generator)
    labels = torch.randint(-1, num, (3, *size), generator=generator)
    labels[2] = -1
    return features, labels, num


def slow_segment_mean(features, labels, num, mode):
    """The map at pixel resolution, a loop over segments.

    The last image of the tests has none.
    """
    if features.shape[2:] != labels.shape[1:]:
        features = F.interpolate(
            features, labels.shape[1:], mode=mode, align_corners=False)
    means = features.new_zeros(len(labels), num, features.size(1))
    for b in range(len(labels)):
        for n in range(num):
            pixels = features[b, :, labels[b] == n]
            if pixels.size(1):
                means[b, n] = pixels.mean(1)
    return means


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
def test_gpu_agrees_with_cpu(mode, way):
    results = []
    for device in ('cpu', 'cuda'):
        features, labels, num = random_case(size=(64, 80), grid=(8, 10))
        features = features.to(device).requires_grad_()
        means, _ = segment_mean(features, labels.to(device), num, mode)
        means.square().sum().backward()
        results.append([means.detach().cpu(), features.grad.cpu()])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('size, grid', [((12, 20), (3, 4)), ((13, 9), (2, 2)),
                                        ((4, 6), (4, 6)), ((3, 5), (6, 10)),
                                        ((4, 9), (4, 2))])
def test_slow_reference(size, grid, mode, way):
    features, labels, num = random_case(size=size, grid=grid)
    means, empty = segment_mean(features, labels, num, mode)
    assert empty[2].all() and not empty[:2].all(dim=1).any()
    torch.testing.assert_close(
        means, slow_segment_mean(features, labels, num, mode))
    features = features.double()
    torch.testing.assert_close(
        segment_mean(features, labels, num, mode)[0],
        slow_segment_mean(features, labels, num, mode), rtol=0, atol=1e-12)
    # One map for all images.
    torch.testing.assert_close(
        segment_mean(features[:1], labels, num, mode)[0],
        segment_mean(features[:1].repeat(3, 1, 1, 1), labels, num, mode)[0])


def test_many_pixels_of_few_pairs(way):
    """Cell 0, which the surplus of pairs is read from, has no part in it."""
    labels = torch.full((1, 96, 64), -1)
    labels[0, 24:60, 20:] = torch.arange(4).repeat_interleave(11)
    features = torch.randn(1, 3, 6, 4, dtype=torch.float64)
    expected = slow_segment_mean(features, labels, 5, 'bilinear')
    features[..., 0, 0] = torch.nan
    # A dense product has all cells in it.
    if way == 'matrix':
        features = features.nan_to_num()
    features.requires_grad_()
    means, empty = segment_mean(features, labels, 5)
    torch.testing.assert_close(means, expected, rtol=0, atol=1e-12)
    assert empty.tolist() == [[False] * 4 + [True]]
    means.sum().backward()
    assert features.grad[..., 0, 0].eq(0).all()
    assert features.grad.sum().item() == pytest.approx(12)


def test_large_numbers_of_segments(way):
    """Pairs whose numbers do not fit into 32 bits."""
    if way == 'matrix':
        pytest.skip('it would have 2^29 numbers')
    features, labels, num = random_case(grid=(64, 64), size=(96, 65))
    scale = 2**17
    torch.testing.assert_close(
        segment_mean(features, (labels * scale).clamp(min=-1),
                     num * scale)[0][:, ::scale],
        slow_segment_mean(features, labels, num, 'bilinear'))


def test_pairs_without_values():
    """No operator waits for the host: tensors without values will do."""
    features = torch.randn(1, 3, 3, 4, device='meta', requires_grad=True)
    labels = torch.zeros(2, 12, 20, dtype=torch.int64, device='meta')
    for mode in ('bilinear', 'bicubic'):
        means = mean_by_pairs(features, labels, segment_sizes(labels, 5), mode)
        assert means.shape == (2, 5, 3)
        means.sum().backward()
        assert features.grad.shape == features.shape


def test_matrix_is_an_average():
    _, labels, num = random_case()
    labels[0][labels[0] == 2] = -1
    matrix, empty = segment_matrix(labels, num, (3, 4))
    sizes = segment_sizes(labels, num)
    assert sizes.tolist() == [[(image == n).sum().item() for n in range(num)]
                              for image in labels]
    assert torch.equal(empty, sizes == 0)
    assert (matrix >= 0).all()
    assert empty[0, 2] and not empty[1, 2]
    torch.testing.assert_close(matrix.sum(2), (~empty).float())


@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('grid', [(2, 3), (5, 4)])
def test_gradcheck(grid, mode, way):
    features, labels, num = random_case(size=(5, 4), grid=grid)
    features = features.double().requires_grad_()
    for x in (features, features.detach()[:1].requires_grad_()):
        assert torch.autograd.gradcheck(
            lambda x: segment_mean(x, labels, num, mode)[0], x)


@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
def test_memory_grows_with_the_pixels(mode, way):
    """The matrix of a 512 x 1024 image with 2048 segments takes 64 MiB."""
    if way == 'matrix':
        pytest.skip('it is small enough for one matrix')
    labels = torch.arange(2048).view(1, 32, 64)
    labels = labels.repeat_interleave(16, 1).repeat_interleave(16, 2)
    features = torch.randn(1, 4, 64, 128)
    features.requires_grad_()
    peak = peak_bytes(
        lambda: segment_mean(features, labels, 2048, mode)[0].sum().backward())
    assert peak < 32 * 2**20
