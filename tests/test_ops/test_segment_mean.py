import sys

import pytest
import torch
import torch.nn.functional as F

from benchmarks.memory import peak_bytes
from mmhierseg.ops import segment_matrix, segment_mean, segment_sizes


@pytest.fixture(params=['pairs', 'matrix', 'strips'])
def way(request, monkeypatch):
    """The CPU averages interpolated maps by pairs, others by a matrix."""
    if request.param == 'pairs':
        return request.param
    module = sys.modules[segment_mean.__module__]
    monkeypatch.setattr(module, 'reads_are_free', lambda _: False)
    if request.param == 'strips':
        monkeypatch.setattr('mmhierseg.ops.segment_weights._STRIP_NUMEL', 64)
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


@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('size, grid', [((12, 20), (3, 4)), ((13, 9), (2, 2)),
                                        ((4, 6), (4, 6)), ((3, 5), (6, 10))])
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
    peak = peak_bytes(lambda: segment_mean(features, labels, 2048, mode))
    assert peak < 32 * 2**20
