"""Golden values of the authors' implementation."""

import pytest
import torch
from helpers.cast import DATA, golden, golden_model

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints.cast import (
    convert_cast_checkpoint,
    rename_encoder_keys,
)

# (values, checkpoint, output); `mask_empty=False` comes with the checkpoint.
CASES = [
    ('cast_moco', 'cast_moco.pth.tar', 'cls_token'),
    ('cast_moco_gaps', 'cast_moco.pth.tar', 'cls_token'),
    ('cast_deit', 'cast_deit.pth', 'cls_token'),
    ('cast_moco_seg_pretrain', 'cast_moco_seg_pretrain.pth.tar',
     'avg_segments'),
    ('cast_moco_seg', 'cast_moco_seg.pth.tar', 'segments'),
    ('cast_deit_seg', 'cast_deit_seg.pth', 'segments'),
    ('cast_deit_seg_nonsquare', 'cast_deit_seg.pth', 'segments'),
]
WITH_LEVELS = [case for case in CASES if 'moco' in case[0]]


def assert_agrees(actual, expected, tolerance=1e-4):
    """Up to an error relative to the largest value."""
    expected = torch.as_tensor(expected)
    assert actual.shape == expected.shape
    error = (actual - expected).abs().max() / expected.abs().max()
    assert error < tolerance


@pytest.mark.parametrize('name, checkpoint, out_type', WITH_LEVELS)
def test_every_level(name, checkpoint, out_type):
    values, inputs = golden(name)
    model = golden_model(checkpoint, out_type=out_type)
    with torch.no_grad():
        out = model.forward_hierarchy(inputs)
    if out_type == 'cls_token':
        assert_agrees(out.cls_token, values['feature'])
    for level in range(4):
        key = f'level{level + 1}_'
        assert_agrees(out.tokens[level], values[key + 'tokens'])
        assert_agrees(out.logits[level], values[key + 'logits'])
        assert_agrees(out.centroids[level], values[key + 'centroids'])
        assert (out.sampled[level].numpy() == values[key + 'sampled']).all()
        assert (out.empty[level].numpy() == values[key + 'empty']).all()
        assert torch.equal(
            out.hierarchy.parents[level],
            torch.from_numpy(values[key + 'logits']).argmax(-1))


@pytest.mark.parametrize('name, checkpoint, out_type', CASES)
def test_feature_and_gradients(name, checkpoint, out_type):
    values, inputs = golden(name)
    model = golden_model(checkpoint, out_type=out_type)
    got = model(inputs)[0]
    if out_type == 'segments':
        # DeiT's has the class token, too.
        first = [got.cls_token[:, None]] * ('deit' in name)
        got = torch.cat([*first, got.tokens], dim=1)
    assert_agrees(got, values['feature'])
    got.square().mean().backward()
    # In the files, blocks are numbered across stages.
    source = load_plain_checkpoint(DATA / checkpoint)
    names = rename_encoder_keys([
        key.removeprefix('module.base_encoder.')
        for key in source.get('model', source.get('state_dict'))
        if 'model' in source or 'base_encoder' in key
    ])
    parameters = dict(model.named_parameters())
    keys = [key for key in values.files if key.startswith('grad/')]
    assert len(keys) >= 4
    for key in keys:
        assert_agrees(parameters[names[key[len('grad/'):]]].grad, values[key])
    if 'logits' in values.files:
        head = convert_cast_checkpoint(source).state_dict
        scores = torch.nn.functional.linear(
            model(inputs)[0], head['head.fc.weight'], head['head.fc.bias'])
        assert_agrees(scores, values['logits'])
