"""Initial distributions agree with the authors' models."""

import json
import re

import pytest
import torch
from helpers.configs import ROOT, load_config
from mmengine.registry import MODELS, init_default_scope

from mmhierseg.checkpoints.cast import rename_encoder_keys

STATISTICS = json.loads(
    (ROOT / 'tests/data/init_statistics.json').read_text())


def backbone(config):
    """The initialised backbone of a config, without weights from a file."""
    cfg = load_config(ROOT / 'configs' / config).model.backbone
    init_default_scope('mmpretrain')
    cfg.pop('init_cfg', None)
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


def assert_agrees(name, parameter, expected):
    """Standard deviation within 5 %, largest value as is usual of it."""
    assert parameter.requires_grad == expected['trained'], name
    tensor = parameter.detach()
    if not expected['std']:
        assert (tensor == expected['mean']).all(), name
        return
    if tensor.numel() < 1000 and 'patch_embed' not in name:
        return
    std = float(tensor.std())
    assert std == pytest.approx(expected['std'], rel=0.05), name
    # Single values of timm's truncated normal are at its bound of 2.
    largest = tensor[tensor.abs() < 2].abs().max()
    if expected['max'] < 2:
        is_uniform = expected['max'] < 2 * expected['std']
        assert float(largest) == pytest.approx(
            expected['max'], rel=0.05 if is_uniform else 0.2), name


@pytest.mark.parametrize('name, config', [
    ('cast_small_moco', 'cast/cast-s_in1k.py'),
    ('cast_small_moco_segmentation', 'cast/cast-s_coco.py'),
    ('cast_small_deit', 'cast/cast-s_deit_in1k.py'),
    ('cast_small_deit_segmentation',
     'cast/cast-s_segmenter_ade20k-512x512.py'),
    ('vit_conv_small_moco', 'baselines/vit-conv-s_in1k.py'),
])
def test_backbones(name, config):
    expected = STATISTICS[name]
    parameters = dict(backbone(config).named_parameters())
    if 'vit' in name:
        renamed = rename_encoder_keys(expected)
    else:
        # A block has two names; the converter uses the one with its stage.
        by_stage = {
            re.sub(r'^blocks\.(\d+)',
                   lambda m: f'blocks{int(m[1]) // 3 + 1}.{m[1]}', key): key
            for key in expected
        }
        renamed = {
            by_stage[key]: ours
            for key, ours in rename_encoder_keys(by_stage).items()
        }
    compared = set()
    for theirs, ours in renamed.items():
        if ours in parameters and theirs != 'pos_embed':
            values = dict(expected[theirs])
            if 'deit_seg' in name and 'pool4' in theirs:
                # Without weight decay, a zero gradient changes nothing.
                values['trained'] = parameters[ours].requires_grad
            assert_agrees(theirs, parameters[ours], values)
            compared.add(ours)
    left = set(parameters) - compared
    assert left <= {'pos_embed', 'tokenizer.pos_embed'}, left
    learned = parameters.get('tokenizer.pos_embed')
    if learned is not None:
        assert float(learned.std()) == pytest.approx(.02, rel=0.05)


def test_head_of_segmenter():
    """Truncated normal 0.02; the last two matrices N(0, 1 / sqrt(C))."""
    cfg = load_config(
        ROOT / 'configs/cast/cast-s_segmenter_ade20k-512x512.py').model
    torch.manual_seed(0)
    head = MODELS.build(cfg.decode_head)
    head.init_weights()
    for name, parameter in head.named_parameters():
        if 'norm' in name:
            expected = 1 if 'weight' in name else 0
            assert (parameter == expected).all(), name
        elif 'bias' in name:
            assert not parameter.any(), name
        else:
            last = 'patch_proj' in name or 'classes_proj' in name
            assert float(parameter.std()) == pytest.approx(
                384**-0.5 if last else 0.02, rel=0.05), name


def test_projector_and_predictor():
    """PyTorch's initialisation, linear layers without bias."""
    cfg = load_config(ROOT / 'configs/cast/cast-s_in1k.py').model
    torch.manual_seed(0)
    for part in (cfg.neck, cfg.head.predictor):
        part = MODELS.build(part)
        part.init_weights()
        layers = [m for m in part.modules() if isinstance(m, torch.nn.Linear)]
        for layer in layers:
            assert layer.bias is None
            assert float(layer.weight.std()) == pytest.approx(
                (3 * layer.in_features)**-0.5, rel=0.01)
        assert len(layers) == (3 if layers[0].in_features == 384 else 2)
