import argparse

import pytest
import torch
from mmengine.logging import MessageHub

from mmhierseg.checkpoints.weights import load_backbone_weights

from ..helpers.cast import DATA, tiny_cast


def _same(first, second):
    second = second.state_dict()
    return all(
        torch.equal(value, second[key])
        for key, value in first.state_dict().items())


def test_loads_the_backbone_and_nothing_else(backbone, checkpoint):
    model = tiny_cast(seed=9, segment_at='pixel')
    assert not _same(model, backbone)
    load_backbone_weights(model, checkpoint)
    assert _same(model, backbone)


def test_reads_what_a_run_of_mmengine_saves(backbone, checkpoint, tmp_path):
    """Log histories and NumPy numbers lie beside the weights."""
    hub = MessageHub('test_weights')
    for step in range(3):
        hub.update_scalar('train/loss', 1. / (step + 1))
    content = torch.load(checkpoint)
    content['message_hub'] = hub.state_dict()
    assert 'train/loss' in content['message_hub']['log_scalars']
    torch.save(content, tmp_path / 'epoch_1.pth')
    model = tiny_cast(seed=9, segment_at='pixel')
    load_backbone_weights(model, tmp_path / 'epoch_1.pth')
    assert _same(model, backbone)


def test_output_layers_may_differ(backbone, checkpoint):
    """A classifier's weights show the hierarchy in a segmentor, and back."""
    segmentor = tiny_cast(seed=9, out_type='featmap')
    load_backbone_weights(segmentor, checkpoint)
    weights = segmentor.state_dict()
    for key, value in backbone.state_dict().items():
        if not key.startswith('norm.'):
            assert torch.equal(value, weights[key]), key


def test_positions_are_resized(checkpoint):
    larger = tiny_cast(seed=9, img_size=96, segment_at='pixel')
    own = larger.tokenizer.pos_embed.clone()
    load_backbone_weights(larger, checkpoint)
    # The checkpoint's, brought to 12 x 12 cells, rather than those drawn.
    assert larger.tokenizer.pos_embed.shape == own.shape == (1, 145, 48)
    assert not torch.equal(larger.tokenizer.pos_embed, own)


@pytest.mark.parametrize('name', [
    'cast_moco.pth.tar', 'cast_moco_seg.pth.tar', 'cast_deit.pth',
    'cast_deit_seg.pth'
])
def test_authors_checkpoints_have_to_be_converted(name):
    with pytest.raises(ValueError, match='cast2mmhierseg.py .*CONVERTED.pth'):
        load_backbone_weights(tiny_cast(), DATA / name)


def test_weights_of_another_architecture(checkpoint):
    wider = tiny_cast(arch=dict(
        embed_dims=96, depths=(2, 1, 1, 1), num_heads=4))
    with pytest.raises(ValueError, match='(?s)does not fit.*size mismatch'):
        load_backbone_weights(wider, checkpoint)
    deeper = tiny_cast(arch=dict(
        embed_dims=48, depths=(2, 2, 1, 1), num_heads=4))
    with pytest.raises(ValueError, match=r'missing: stages\.1\.1\..* more'):
        load_backbone_weights(deeper, checkpoint)
    shallower = tiny_cast(arch=dict(
        embed_dims=48, depths=(1, 1, 1, 1), num_heads=4))
    with pytest.raises(ValueError, match=r'unexpected: stages\.0\.1\.'):
        load_backbone_weights(shallower, checkpoint)


class _Program:
    """Stands for anything that only executing code could make."""


@pytest.mark.parametrize('content, message', [
    (dict(state_dict={'layer.weight': torch.zeros(1)}),
     'no weights under `backbone.`; it holds layer.weight'),
    (torch.zeros(3), 'holds a Tensor instead of a dict'),
    (dict(state_dict={}, args=argparse.Namespace()), 'no weights under'),
    (dict(state_dict={}, hook=_Program()), 'was not read, because'),
])
def test_other_files(tmp_path, content, message):
    path = tmp_path / 'other.pth'
    torch.save(content, path)
    with pytest.raises(ValueError, match=message):
        load_backbone_weights(tiny_cast(), path)


def test_missing_and_damaged_files(tmp_path, checkpoint):
    with pytest.raises(FileNotFoundError, match="'no.pth' does not exist"):
        load_backbone_weights(tiny_cast(), 'no.pth')
    damaged = tmp_path / 'damaged.pth'
    with open(checkpoint, 'rb') as file:
        damaged.write_bytes(file.read()[:2000])
    with pytest.raises(ValueError, match='or is damaged'):
        load_backbone_weights(tiny_cast(), damaged)
