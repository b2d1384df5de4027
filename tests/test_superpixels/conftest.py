import pytest
import torch
from skimage import data

from mmhierseg.ops import has_numba


@pytest.fixture(scope='session')
def photos():
    """(2, 3, 96, 112) uint8 RGB crops of photographs."""
    crops = [
        data.astronaut()[40:136, 160:272],
        data.coffee()[100:196, 200:312]
    ]
    return torch.stack(
        [torch.from_numpy(crop.copy()).permute(2, 0, 1) for crop in crops])


@pytest.fixture(params=['numba', 'torch'])
def both_paths(request, monkeypatch):
    """Run with numba kernels, if available, and without them."""
    if request.param == 'torch':
        monkeypatch.setenv('MMHIERSEG_COMPILED', '0')
    elif not has_numba():
        pytest.skip('needs numba')
