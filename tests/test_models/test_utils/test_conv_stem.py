"""Batch normalisation of the stem is folded in evaluation."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from mmhierseg.models.utils import ConvStem


def make_stem(seed=0, norm_cfg=None):
    torch.manual_seed(seed)
    stem = ConvStem(16, norm_cfg).eval()
    for name, value in (*stem.named_parameters(), *stem.named_buffers()):
        if value.is_floating_point():
            value.data.uniform_(.5, 2).mul_(.3 if 'conv' in name else 1)
    return stem


def unfolded(stem, image):
    """PyTorch's own modules, one after the other."""
    for layer in list(stem.layers)[:-1]:
        image = layer.activate(layer.norm(layer.conv(image)))
    return image


IMAGE = torch.linspace(-1, 1, 2 * 3 * 20 * 24).reshape(2, 3, 20, 24).sin()


@pytest.mark.parametrize('context', [torch.no_grad, torch.inference_mode])
def test_folded_is_unfolded(context):
    stem = make_stem()
    with context():
        torch.testing.assert_close(
            stem.convolve(IMAGE), unfolded(stem, IMAGE), rtol=1e-5, atol=1e-5)
        exact = stem.double().convolve(IMAGE.double())
        torch.testing.assert_close(exact, unfolded(stem, IMAGE.double()))


@pytest.mark.parametrize('change', [
    lambda x: x.load_state_dict(make_stem(1).state_dict()),
    lambda x: x.layers[1].bn.running_mean.add_(1),  # as a swap of EMA
    lambda x: setattr(x.layers[0].conv.weight, 'data', x.layers[
        0].conv.weight.data + 1),
    lambda x: x.double().float(),
    lambda x: x.train().convolve(IMAGE) is None or x.eval()])
def test_no_result_is_outdated(change):
    stem = make_stem()
    with torch.no_grad():
        stem.convolve(IMAGE)
        change(stem)
        torch.testing.assert_close(
            stem.convolve(IMAGE), unfolded(copy.deepcopy(stem), IMAGE),
            rtol=1e-5, atol=1e-5)


def test_training_and_gradients_are_not_folded(monkeypatch):
    stem = make_stem()
    keys = [*stem.state_dict()]
    called = []
    monkeypatch.setattr(nn.BatchNorm2d, 'forward', lambda self, x: (
        called.append(self) or x))
    with torch.no_grad():
        stem.convolve(IMAGE)
        assert not called
        stem.train().convolve(IMAGE)
        assert len(called) == 4
    stem.eval().convolve(IMAGE)
    assert len(called) == 8
    assert [*stem.state_dict()] == keys


@pytest.mark.parametrize('change', [
    lambda x: x.layers[2].bn.train(),  # statistics of other data
    lambda x: setattr(x.layers[2].bn, 'running_mean', None) or setattr(
        x.layers[2].bn, 'running_var', None),
    lambda x: x.layers[2].conv.register_forward_hook(lambda *y: 2 * y[2]),
    lambda x: x.layers[2].bn.register_forward_pre_hook(
        lambda _, y: (2 * y[0], )),
    lambda x: prune.random_unstructured(x.layers[2].conv, 'weight', .5) and x.
    layers[2].conv.weight_orig.data.mul_(2),
    lambda x: setattr(x.layers[2], 'conv', nn.Sequential(x.layers[2].conv))])
def test_nothing_is_bypassed(change):
    stem = make_stem()
    change(stem)
    with torch.no_grad():
        torch.testing.assert_close(
            stem.convolve(IMAGE), unfolded(stem, IMAGE), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('norm', [torch.float32, torch.bfloat16])
def test_half_precision(norm):
    stem, image = make_stem().bfloat16(), IMAGE.bfloat16()
    for module in stem.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.to(norm)
    with torch.no_grad():
        result = stem.convolve(image)
        assert result.dtype == torch.bfloat16
        torch.testing.assert_close(
            result, unfolded(stem, image), rtol=.1, atol=.1)


def test_other_normalisation_stays():
    stem = make_stem(norm_cfg=dict(type='GN', num_groups=1))
    with torch.no_grad():
        torch.testing.assert_close(
            stem.convolve(IMAGE), unfolded(stem, IMAGE))
