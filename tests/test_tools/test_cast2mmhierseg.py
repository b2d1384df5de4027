import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.cast import DATA, golden, random_inputs
from mmengine.runner import load_checkpoint

from mmhierseg.models import CAST

SCRIPT = (
    Path(__file__).parents[2] / 'tools/model_converters/cast2mmhierseg.py')


def convert(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300)


@pytest.fixture(scope='module')
def converted(tmp_path_factory):
    dst = tmp_path_factory.mktemp('converted') / 'new folder' / 'moco.pth'
    result = convert(DATA / 'cast_moco.pth.tar', dst)
    assert result.returncode == 0, result.stderr
    return dst, result.stdout


def test_gives_the_authors_features(converted):
    dst, _ = converted
    meta = torch.load(dst, weights_only=True)['meta']
    model = CAST(num_clusters=(8, 6, 4, 2), **meta['backbone'])
    load_checkpoint(
        model, str(dst), strict=False, revise_keys=[(r'^backbone\.', '')])
    values, inputs = golden('cast_moco')
    torch.testing.assert_close(
        model.eval()(inputs)[0],
        torch.from_numpy(values['feature']),
        atol=1e-4,
        rtol=1e-4)


def test_loads_through_init_cfg(converted):
    dst, _ = converted
    meta = torch.load(dst, weights_only=True)['meta']
    options = dict(num_clusters=(8, 6, 4, 2), **meta['backbone'])
    init_cfg = dict(type='Pretrained', checkpoint=str(dst), prefix='backbone.')
    models = [CAST(init_cfg=init_cfg, **options) for _ in range(2)]
    features = []
    for model in models:
        model.init_weights()
        features.append(model.eval()(random_inputs())[0])
    assert torch.equal(*features)


def test_says_what_it_did(converted):
    _, output = converted
    assert 'kind: moco; ' in output
    assert 'module.momentum_encoder.blocks1.* (24 tensors)' in output
    assert "dict(type='mmhierseg.CAST', arch={'embed_dims': 48" in output


def test_leaves_no_partial_file(converted):
    dst, _ = converted
    assert [path.name for path in dst.parent.iterdir()] == ['moco.pth']


@pytest.mark.parametrize('name, options, message', [
    ('nothing.pth', [], "nothing.pth' does not exist"),
    ('cast_moco.npz', [], 'cast_moco.npz'),
    ('cast_moco.pth.tar', ['--ema'], 'use `--encoder momentum`'),
])
def test_bad_input_is_one_line(name, options, message, tmp_path):
    result = convert(DATA / name, tmp_path / 'out.pth', *options)
    assert result.returncode == 1
    assert message in result.stderr and 'Traceback' not in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_destination(tmp_path):
    result = convert(DATA / 'cast_deit.pth', tmp_path)
    assert result.returncode == 1 and 'cannot write' in result.stderr
    assert 'Traceback' not in result.stderr
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.parent.glob('*.part'))
