import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from mmhierseg.superpixels.color import rgb_to_lab

pytestmark = pytest.mark.usefixtures('both_paths')


def all_levels():
    """(1, 3, 9, 81): nine levels of each channel, dark ones among them."""
    levels = torch.tensor([0, 1, 5, 10, 11, 64, 128, 200, 255])
    return torch.cartesian_prod(levels, levels, levels).T.reshape(1, 3, 9, 81)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32, torch.float64])
def test_agrees_with_scikit_image(dtype):
    images = all_levels().to(dtype)
    expected = rgb2lab(images[0].permute(1, 2, 0).numpy() / 255.)
    lab = rgb_to_lab(images)
    assert lab.dtype == torch.float32
    np.testing.assert_allclose(lab[0].permute(1, 2, 0), expected, atol=2e-3)


def test_black_white_and_grey():
    black, white, grey = (
        rgb_to_lab(torch.full((2, 3, 1, 4), level))
        for level in (0., 255., 99.))
    assert torch.allclose(black, torch.zeros(()), atol=1e-3)
    assert torch.allclose(white[:, 0], torch.tensor(100.), atol=1e-3)
    assert grey[:, 1:].abs().max() < 0.01


def test_batch_and_memory_layout():
    images = all_levels().float()
    both = torch.cat([images, images.flip(1)])
    # Not to the last bit: powers are vectorised, but for the last few.
    assert torch.allclose(rgb_to_lab(both)[:1], rgb_to_lab(images), atol=1e-4)
    turned = both.transpose(2, 3).contiguous().transpose(2, 3)
    assert torch.allclose(rgb_to_lab(turned), rgb_to_lab(both), atol=1e-4)
