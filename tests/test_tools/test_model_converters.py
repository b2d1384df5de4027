"""Converters of checkpoints: of CAST's and HSG's authors, and fused stems."""

import io
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest
import torch
from helpers.cast import DATA, golden, random_inputs, tiny_cast
from helpers.hsg import with_resnet
from helpers.scripts import TOOLS, load_script
from mmengine.runner import load_checkpoint
from torch import nn

from mmhierseg._base.errors import run_command
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.models import HSGHead
from mmhierseg.models.utils import ConvStem
from mmhierseg.registry import MODELS

CAST_TOOL, HSG_TOOL, FUSE_TOOL = (
    f'model_converters/{name}.py'
    for name in ('cast2mmhierseg', 'hsg2mmhierseg', 'fuse_stem'))


def convert(tool, *arguments, status=0):
    """Run a tool in this process; returns what it printed."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), \
            redirect_stderr(printed):
        patch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        assert run_command(load_script(tool).main) == status
    return printed.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize('tool, src, status, message', [
    (CAST_TOOL, 'cast_deit_seg.pth', 0, 'kind: deit_seg; '),
    (HSG_TOOL, 'hsg_cityscapes.pth', 0, 'kind: hsg; '),
    (FUSE_TOOL, 'nothing.pth', 1, "fuse_stem.py: error: checkpoint '"),
])
def test_as_a_program(tool, src, status, message, tmp_path):
    result = subprocess.run(
        [sys.executable, TOOLS / tool, DATA / src, tmp_path / 'dst.pth'],
        capture_output=True,
        text=True,
        timeout=300)
    assert result.returncode == status, result.stderr
    assert message in result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    assert (tmp_path / 'dst.pth').exists() == (status == 0)


@pytest.mark.parametrize('tool, src, options, message', [
    (CAST_TOOL, 'nothing.pth', [], "nothing.pth' does not exist"),
    (CAST_TOOL, 'cast_moco.npz', [], 'cast_moco.npz'),
    (CAST_TOOL, 'cast_moco.pth.tar', ['--ema'], 'use `--encoder momentum`'),
    (HSG_TOOL, 'cast_deit.pth', [], 'not a checkpoint of the authors of HSG'),
])
def test_bad_input(tool, src, options, message, tmp_path):
    assert message in convert(
        tool, DATA / src, tmp_path / 'a.pth', *options, status=1)
    assert not list(tmp_path.iterdir())


def test_folder_is_no_destination(tmp_path):
    assert 'cannot write' in convert(
        HSG_TOOL, DATA / 'hsg_coco.pth', tmp_path, status=1)
# ------------------------------------------------------------------------ CAST


@pytest.fixture(scope='module')
def converted(tmp_path_factory):
    """Path of a converted file, and what the program printed."""
    dst = tmp_path_factory.mktemp('converted') / 'new folder' / 'moco.pth'
    return dst, convert(CAST_TOOL, DATA / 'cast_moco.pth.tar', dst)


def test_gives_the_authors_features(converted):
    dst, printed = converted
    assert 'kind: moco; ' in printed
    assert 'module.momentum_encoder.blocks1.* (24 tensors)' in printed
    assert "dict(type='mmhierseg.CAST', arch={'embed_dims': 48" in printed
    assert [path.name for path in dst.parent.iterdir()] == ['moco.pth']
    meta = torch.load(dst, weights_only=True)['meta']
    init_cfg = dict(type='Pretrained', checkpoint=str(dst), prefix='backbone.')
    model = MODELS.build(
        dict(meta['backbone'], num_clusters=(8, 6, 4, 2), init_cfg=init_cfg))
    model.init_weights()
    values, inputs = golden('cast_moco')
    torch.testing.assert_close(
        model.eval()(inputs)[0],
        torch.from_numpy(values['feature']),
        atol=1e-4,
        rtol=1e-4)


def test_incomplete_weights(tmp_path):
    checkpoint = load_plain_checkpoint(DATA / 'cast_deit.pth')
    del checkpoint['model']['blocks2.2.attn.qkv.bias']
    checkpoint['model']['blocks1.0.attn.extra.bias'] = torch.zeros(3)
    torch.save(checkpoint, tmp_path / 'src.pth')
    assert re.search(
        r'(?s)do not make a whole CAST.*nothing for 1 .*\(stages.1.0.attn.qkv.'
        r'bias\).*are unexpected \(stages.0.0.attn.extra.bias\)',
        convert(CAST_TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth',
                status=1))
    assert not (tmp_path / 'dst.pth').exists()


# ------------------------------------------------------------------------- HSG


def test_whole_model_of_hsg(tmp_path):
    checkpoint, _ = with_resnet(
        load_plain_checkpoint(DATA / 'hsg_coco.pth'), 50, 'detectron2')
    checkpoint['prediction_model'] = {'classifier.weight': torch.zeros(2)}
    torch.save(checkpoint, tmp_path / 'src.pth')
    dst = tmp_path / 'dst.pth'
    printed = convert(HSG_TOOL, tmp_path / 'src.pth', dst)
    written = torch.load(dst, weights_only=True)
    head = HSGHead(**written['meta']['head'])
    head.load_state_dict({
        key[len('head.'):]: value
        for key, value in written['state_dict'].items()
        if key.startswith('head.')
    })
    number = len(checkpoint['embedding_model'])
    assert len(written['state_dict']) == number
    assert f'kind: hsg; {number} tensors written' in printed
    assert 'not converted (1):\n  prediction_model' in printed


# ----------------------------------------------------------------- fused stems


@pytest.fixture(scope='module')
def fused(tmp_path_factory):
    """A model, and its checkpoint with a fused stem."""
    model = tiny_cast()
    folder = tmp_path_factory.mktemp('fused')
    weights = {f'backbone.{k}': v for k, v in model.state_dict().items()}
    torch.save(
        dict(state_dict=weights, meta=dict(epoch=3)), folder / 'src.pth')
    printed = convert(FUSE_TOOL, folder / 'src.pth', folder / 'dst.pth')
    assert '4 layers folded' in printed
    return model, folder / 'dst.pth'


def test_fused_stems_give_the_same_outputs(fused):
    model, path = fused
    inputs = random_inputs()
    expected = model(inputs)[0]
    other = tiny_cast(seed=1)
    result = load_checkpoint(
        other, str(path), strict=True, revise_keys=[(r'^backbone\.', '')])
    assert result['meta']['epoch'] == 3
    assert not any(isinstance(m, nn.BatchNorm2d) for m in other.modules())
    torch.testing.assert_close(
        other(inputs)[0], expected, atol=1e-5, rtol=1e-5)
    # Once more, into a folded model, by PyTorch.
    other.load_state_dict({
        key.removeprefix('backbone.'): value
        for key, value in torch.load(path, weights_only=True)
        ['state_dict'].items()
    })
    torch.testing.assert_close(
        other(inputs)[0], expected, atol=1e-5, rtol=1e-5)


def test_fused_stems_cannot_be_trained(fused):
    model, frozen = (tiny_cast(frozen_stages=n).train() for n in (-1, 0))
    for one in (model, frozen):
        load_checkpoint(one, str(fused[1]), strict=True,
                        revise_keys=[(r'^backbone\.', '')])
    with pytest.raises(RuntimeError, match='for inference only'):
        model(random_inputs())
    assert frozen(random_inputs())[0].requires_grad


def test_stems_that_cannot_be_fused(fused, tmp_path):
    assert 'folded already' in convert(
        FUSE_TOOL, fused[1], tmp_path / 'a.pth', status=1)
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
