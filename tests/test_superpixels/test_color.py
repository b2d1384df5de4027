import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from mmhierseg.superpixels.color import rgb_to_lab


@pytest.mark.usefixtures('both_paths')
def test_agrees_with_scikit_image():
    levels = torch.tensor([0, 1, 5, 10, 11, 64, 128, 200, 255]).byte()
    image = torch.cartesian_prod(levels, levels, levels).T.reshape(3, 9, 81)
    turned = image.flip(0).transpose(1, 2).contiguous().transpose(1, 2)
    images = torch.stack([image, turned])
    lab = rgb_to_lab(images)
    assert lab.dtype == torch.float32
    np.testing.assert_allclose(
        lab.movedim(1, -1), rgb2lab(images.movedim(1, -1)), atol=2e-3)
