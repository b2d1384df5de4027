"""The numba kernels and the reference implementation in torch agree."""

import pytest
import torch

from mmhierseg.ops import has_numba
from mmhierseg.superpixels import TorchSLIC
from mmhierseg.superpixels.color import rgb_to_lab
from mmhierseg.superpixels.dense_slic import dense_slic

pytestmark = pytest.mark.skipif(not has_numba(), reason='needs numba')


@pytest.fixture
def both(monkeypatch):
    """Call a function with and without kernels; the results must be equal."""

    def call(function, *args):
        results = []
        for value in '10':
            monkeypatch.setenv('MMHIERSEG_COMPILED', value)
            results.append(function(*args))
        torch.testing.assert_close(*results, rtol=0, atol=0)

    return call


def others(height, width):
    """Noise, black and white noise, constant images, a half-plane."""
    torch.manual_seed(height * width)
    noise = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8)
    coarse = (noise[:, :1] > 127).expand(-1, 3, -1, -1).to(torch.uint8) * 255
    even = torch.full((2, 3, height, width), 200, dtype=torch.uint8)
    even[1, :, :, width // 2 + 1:] = 0
    return torch.cat([noise, coarse, even])


@pytest.mark.parametrize('size', [
    (64, 64), (61, 83), (48, 80), (37, 29), (5, 40), (1, 33)])
@pytest.mark.parametrize('options', [
    dict(segment_size=16),
    dict(segment_size=16, border_passes=2),
    dict(segment_size=7, num_iterations=2),
    dict(segment_size=4, compactness=1.5),
    dict(num_segments=9, compactness=100, connected=False),
    dict(segment_size=8, half_resolution=True),
])
def test_segments(both, photos, size, options):
    crops = photos[:, :, :size[0], :size[1]]
    both(TorchSLIC(**options), torch.cat([crops, others(*size)]))


def test_colours(both):
    """Bitwise: all of red, a fifth of green, a third of blue."""
    levels = torch.arange(256, dtype=torch.uint8)
    colours = torch.cartesian_prod(levels, levels[::5], levels[::3])
    both(rgb_to_lab, colours.T.reshape(1, 3, 256, -1))


def test_sums_beyond_float32(both):
    """Sums above 2^24, over cells of more pixels than are summed at once."""
    lab = torch.full((1, 3, 280, 300), 99.9)
    lab[:, 1, :, 150:] = -80.
    lab[:, 2] = torch.randn(280, 300) * 50
    both(dense_slic, lab, (1, 2), 10., 3)
