import pytest
import torch
from mmengine.device import get_device

from mmhierseg.apis.devices import find_device


def test_devices_that_are_there():
    assert find_device('cpu') == torch.device('cpu')
    assert find_device(torch.device('cpu')) == torch.device('cpu')
    assert find_device(None).type == torch.device(get_device()).type


# 'meta' exists, but computes nothing; 99 GPUs are in no machine.
@pytest.mark.parametrize('device', [
    'foo', '', 'cuda:99', 'cuda:x', 'meta', 'vulkan', 'privateuseone', 3.5
])
def test_devices_that_are_not(device):
    with pytest.raises(
            ValueError,
            match="`device` must be one of this machine, e.g. 'cpu'.* or "
            f"None, got '{device}'"):
        find_device(device)


def test_no_gpu(monkeypatch):

    def zeros(*args, **kwargs):
        raise AssertionError('Torch not compiled with CUDA enabled')

    monkeypatch.setattr(torch, 'zeros', zeros)
    with pytest.raises(ValueError, match="`device` must .*got 'cuda:0'"):
        find_device('cuda:0')
