import pytest
import torch
from helpers.cast import (
    DATA,
    golden,
    golden_model,
    random_inputs,
    tiny_cast,
)
from helpers.moco import tiny_moco
from torch import nn

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints.cast import convert_cast_checkpoint
from mmhierseg.models import SegmentEmbedder
from mmhierseg.registry import MODELS

NECK = dict(
    type='mmpretrain.NonLinearNeck', in_channels=48, hid_channels=32,
    out_channels=16, num_layers=2, with_bias=False, with_last_bn=True,
    with_last_bn_affine=False, with_last_bias=False, with_avg_pool=False,
    norm_cfg=dict(type='BN1d'))


def make_embedder(seed=0, **backbone):
    torch.manual_seed(seed)
    return SegmentEmbedder(
        tiny_cast(out_type='segments', **backbone), NECK).eval()


def test_embeddings_are_normalised_projections_of_tokens():
    model = make_embedder()
    inputs = random_inputs()
    result = model(inputs)
    segments, = model.backbone(inputs)
    assert result.embeddings.shape == (*segments.tokens.shape[:2], 16)
    for b in range(2):
        rows, = model.neck((segments.tokens[b], ))
        torch.testing.assert_close(
            result.embeddings[b], rows / rows.norm(dim=1, keepdim=True))
    assert torch.equal(result.hierarchy.labels, segments.labels)
    assert result.hierarchy.num_levels == 5
    assert torch.equal(result.empty, segments.empty)


def test_empty_segments_are_zero():
    model = make_embedder()
    inputs = random_inputs()
    # The first image has fewer segments than the second.
    inputs[0, 3].clamp_(max=5)
    result = model(inputs)
    lengths = result.embeddings.norm(dim=2)
    assert result.empty.any()
    torch.testing.assert_close(lengths, (~result.empty).float())
    torch.testing.assert_close(
        model(inputs[:1]).embeddings[0], result.embeddings[0, :6],
        rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('momentum', [False, True])
def test_loads_a_checkpoint_of_pretraining(tmp_path, momentum):
    """The trained encoder, or the momentum encoder part by part."""
    moco = tiny_moco(out_type='avg_segments')
    with torch.no_grad():
        for parameter in moco.momentum_encoder.parameters():
            parameter.add_(1)
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=moco.state_dict(), meta={}), path)
    embedder = make_embedder(seed=1)
    pretrained = dict(type='Pretrained', checkpoint=str(path))
    parts, sources = (embedder.backbone, embedder.neck), (moco.backbone,
                                                          moco.neck)
    if momentum:
        sources = moco.momentum_encoder.module
        for i, part in enumerate(parts):
            part.init_cfg = dict(
                pretrained, prefix=f'momentum_encoder.module.{i}.')
    else:
        embedder.init_cfg = pretrained
    embedder.init_weights()
    for part, own in zip(parts, sources):
        expected = own.state_dict()
        for name, value in part.state_dict().items():
            assert torch.equal(value, expected[name]), name


def test_loads_a_converted_checkpoint_of_the_authors():
    """Their features, through their projector."""
    values, inputs = golden('cast_moco_seg')
    name = 'cast_moco_seg.pth.tar'
    backbone = golden_model(name, out_type='segments')
    state = convert_cast_checkpoint(
        load_plain_checkpoint(DATA / name)).state_dict
    weights = {k[len('neck.'):]: v for k, v in state.items()
               if k.startswith('neck.')}
    widths = [weights[f'fc{i}.weight'].shape for i in range(3)]
    neck = MODELS.build(
        dict(NECK, in_channels=widths[0][1], hid_channels=widths[0][0],
             out_channels=widths[2][0], num_layers=3))
    neck.load_state_dict(weights)
    embedder = SegmentEmbedder(backbone, neck).eval()
    tokens = torch.from_numpy(values['feature'])
    expected = nn.functional.normalize(
        neck((tokens.flatten(0, 1), ))[0], dim=1).view(*tokens.shape[:2], -1)
    torch.testing.assert_close(
        embedder(inputs).embeddings, expected, rtol=1e-3, atol=1e-4)


def test_other_out_types_are_rejected():
    with pytest.raises(ValueError, match="out_type='segments', got 'featmap'"):
        SegmentEmbedder(tiny_cast(out_type='featmap'), NECK)
