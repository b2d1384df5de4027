"""Folding the stem's batch normalisation, and testing with that."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.cast import random_inputs, tiny_cast
from mmengine.runner import load_checkpoint
from torch import nn

from mmhierseg.models.utils import ConvStem

SCRIPT = Path(__file__).parents[2] / 'tools/model_converters/fuse_stem.py'


def fuse(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300)


@pytest.fixture(scope='module')
def fused(tmp_path_factory):
    """A model, its folded checkpoint, and what the tool said."""
    model = tiny_cast()
    folder = tmp_path_factory.mktemp('fused')
    weights = {f'backbone.{k}': v for k, v in model.state_dict().items()}
    torch.save(
        dict(state_dict=weights, meta=dict(epoch=3)), folder / 'src.pth')
    result = fuse(folder / 'src.pth', folder / 'dst.pth')
    assert result.returncode == 0, result.stderr
    return model, folder / 'dst.pth', result.stdout


def test_same_outputs(fused):
    model, path, _ = fused
    other = tiny_cast(seed=1)
    result = load_checkpoint(
        other, str(path), strict=True, revise_keys=[(r'^backbone\.', '')])
    assert result['meta']['epoch'] == 3
    assert not any(isinstance(m, nn.BatchNorm2d) for m in other.modules())
    inputs = random_inputs()
    torch.testing.assert_close(
        other(inputs)[0], model(inputs)[0], atol=1e-5, rtol=1e-5)


def test_loads_by_torch_and_again(fused):
    model, path, _ = fused
    weights = {
        key.removeprefix('backbone.'): value
        for key, value in torch.load(path, weights_only=True)
        ['state_dict'].items()
    }
    other = tiny_cast(seed=1)
    for _ in range(2):
        other.load_state_dict(weights)
    assert other.state_dict().keys() == weights.keys()
    torch.testing.assert_close(
        other(random_inputs())[0], model(random_inputs())[0], atol=1e-5,
        rtol=1e-5)


def test_refuses_training(fused):
    _, path, _ = fused
    for frozen_stages in (-1, 0):
        model = tiny_cast(frozen_stages=frozen_stages)
        load_checkpoint(
            model, str(path), strict=True, revise_keys=[(r'^backbone\.', '')])
        model.train()
        if frozen_stages < 0:
            with pytest.raises(RuntimeError, match='for inference only'):
                model(random_inputs())
        else:
            assert model(random_inputs())[0].requires_grad


def test_says_what_it_did(fused):
    assert '4 layers folded' in fused[2]


def test_what_cannot_be_folded(fused, tmp_path):
    again = fuse(fused[1], tmp_path / 'again.pth')
    assert again.returncode and 'folded already' in again.stderr
    assert 'Traceback' not in again.stderr
    missing = fuse(tmp_path / 'none.pth', tmp_path / 'dst.pth')
    assert missing.returncode and 'Traceback' not in missing.stderr
    with pytest.raises(ValueError, match='got GroupNorm'):
        ConvStem(16, dict(type='GN', num_groups=1)).fold()


def test_fold_in_place():
    torch.manual_seed(0)
    stem = ConvStem(16)
    image = torch.randn(2, 3, 24, 40)
    for _ in range(3):
        stem(image)
    expected = stem.eval()(image)
    stem.fold()
    stem.fold()
    assert stem.is_folded
    torch.testing.assert_close(stem(image), expected, atol=1e-5, rtol=1e-5)
