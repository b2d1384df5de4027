import pytest
import torch
from skimage import data


@pytest.fixture(scope='session')
def bgr():
    """(2, 3, 40, 56) uint8, photographs as OpenCV loads them."""
    crops = [
        data.astronaut()[60:100, 200:256, ::-1],
        data.coffee()[100:140, 200:256, ::-1]
    ]
    return torch.stack(
        [torch.from_numpy(crop.copy()).permute(2, 0, 1) for crop in crops])


@pytest.fixture(scope='session')
def maps():
    """(2, 40, 56) int32 labels, with holes and up to the largest allowed."""
    labels = torch.arange(2 * 40 * 56, dtype=torch.int32).view(2, 40, 56)
    labels[:, 0, 0] = 2**24 - 1
    labels[:, 3:5] = -1
    return labels


@pytest.fixture(scope='session')
def rgbs(bgr, maps):
    """(2, 4, 40, 56) int32, the output of the packing transforms."""
    return torch.cat([bgr.int(), maps[:, None]], dim=1)
