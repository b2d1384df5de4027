"""CAST in training: gradients, precision, freezing, initialisation."""

import argparse
import copy

import pytest
import torch
from helpers.cast import (
    DATA,
    each_output,
    random_inputs,
    tensors,
    tiny_cast,
)

OUTPUTS = [
    dict(out_type='cls_token'),
    dict(out_type='cls_tokens'),
    dict(out_type='cls_tokens', out_indices=(0, 1)),
    dict(out_type='avg_segments'),
    dict(out_type='segments'),
    dict(out_type='featmap', out_indices=(0, 1)),
    dict(out_type='featmap', out_indices=(0, 1, 2, 3)),
    dict(out_type='featmap', out_indices=(3, 'fused')),
]


def mean_square(result):
    return sum(value.square().mean() for value in tensors(result))


# ------------------------------------------------------------ used parameters


@pytest.mark.parametrize('segment_at', ['stem', 'pixel'])
@pytest.mark.parametrize('options', OUTPUTS)
def test_exactly_the_used_parameters_require_gradients(options, segment_at):
    model = tiny_cast(segment_at=segment_at, pos_embed='learned', **options)
    calls = []
    for pool in model.pools:
        pool.register_forward_hook(lambda *_: calls.append(1))
    mean_square(model.train()(random_inputs())).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    # Poolings are not computed in vain.
    assert len(calls) == (1 if options.get('out_indices') == (0, 1) else 3)


# ------------------------------------------------------------------ precision


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@each_output
def test_autocast(options, dtype):
    model = tiny_cast(**options)
    inputs = random_inputs()
    expected = model(inputs)
    with torch.autocast('cpu', dtype=dtype):
        loss = mean_square(model(inputs))
        labels = model.forward_hierarchy(inputs).hierarchy.labels
    loss.backward()
    assert torch.equal(labels, inputs[:, 3].long())
    reference = mean_square(expected)
    assert abs(loss - reference) < 0.05 * reference
    for parameter in model.parameters():
        if parameter.requires_grad:
            assert parameter.grad.isfinite().all()


def test_bfloat16_model():
    model, inputs = tiny_cast(), random_inputs(2, 64, 96)
    expected = model(inputs)[0]
    # bfloat16 holds labels up to 255 exactly.
    out = model.bfloat16()(inputs.bfloat16())[0]
    assert out.dtype == torch.bfloat16
    assert (out.float() - expected).abs().max() < 0.1 * expected.abs().max()


# ----------------------------------------- checkpointing, drop path, freezing


@each_output
def test_activation_checkpointing_changes_nothing(options):
    results = []
    for with_cp in (False, True):
        model = tiny_cast(with_cp=with_cp, drop_path_rate=0.3, **options)
        torch.manual_seed(7)
        loss = mean_square(model.train()(random_inputs()))
        loss.backward()
        results.append([loss] + [
            p.grad for p in model.parameters() if p.grad is not None
        ])
    for a, b in zip(*results):
        torch.testing.assert_close(a, b)


def test_drop_path_grows_with_depth():
    model = tiny_cast(drop_path_rate=0.4)
    rates = [
        block.drop_path.drop_prob for stage in model.stages for block in stage
    ]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize('frozen_stages', [-1, 0, 1])
def test_frozen_stages(frozen_stages):
    model = tiny_cast(frozen_stages=frozen_stages, pos_embed='learned')
    model.train()
    assert model.cls_token.requires_grad == (frozen_stages < 0)
    for index, part in enumerate([model.tokenizer, *model.stages]):
        trained = index > frozen_stages
        assert part.training == trained
        assert all(p.requires_grad == trained for p in part.parameters())


@pytest.mark.parametrize('options', [
    dict(frozen_stages=4), dict(frozen_stages=4, out_type='avg_segments'),
    dict(norm_eval=True, out_type='segments')])
def test_frozen_and_norm_eval_keep_statistics(options):
    """With all stages frozen also no gradients, no dropout, as in probes."""
    model = tiny_cast(
        drop_rate=0.5, drop_path_rate=0.5, pool_drop_rate=0.5, **options)
    inputs = random_inputs()
    before, expected = copy.deepcopy(model.state_dict()), model(inputs)[0]
    got = model.train()(inputs)[0]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    if 'frozen_stages' in options:
        assert not any(p.requires_grad for p in model.parameters())
        assert torch.equal(got, expected)


# ------------------------------------------------------------- initialisation


def test_small_random_values():
    """For larger parameters, see test_initialisation.py."""
    model = tiny_cast()
    model.init_weights()
    assert 0 < model.cls_token.std() < 2e-6
    biases = torch.cat([pool.grouping.bias.flatten() for pool in model.pools])
    assert biases.detach().std() == pytest.approx(0.01, rel=0.3)
    assert 'tokenizer.pos_embed' not in dict(model.named_parameters())


# ----------------------------------------------- checkpoints of other sizes


@pytest.mark.parametrize('old, new', [((8, 16), (16, 8)), ((12, 20), (8, 8))])
def test_positions_are_resized_when_loaded(old, new):
    """One of the pairs has the same number of cells in different grids."""
    source, model = (tiny_cast(img_size=(8 * h, 8 * w)) for h, w in (old, new))
    state_dict = source.state_dict()
    model.load_state_dict(state_dict)
    table = source.tokenizer.pos_embed[:, 1:].transpose(1, 2)
    expected = torch.nn.functional.interpolate(
        table.unflatten(2, old), new, mode='bicubic')
    torch.testing.assert_close(model.tokenizer.pos_embed[:, 1:],
                               expected.flatten(2).transpose(1, 2))
    assert model.tokenizer.pos_grid.tolist() == list(new)
    del state_dict['tokenizer.pos_grid']
    with pytest.raises(ValueError, match=f'of {old[0] * old[1]} cells but'):
        model.load_state_dict(state_dict)


@pytest.mark.parametrize('name', ['cast_moco.pth.tar', 'cast_deit.pth'])
def test_authors_checkpoints_are_refused(name):
    init_cfg = dict(type='Pretrained', checkpoint=str(DATA / name))
    model = tiny_cast(init_cfg=init_cfg)
    with torch.serialization.safe_globals([argparse.Namespace]), \
            pytest.raises(ValueError, match='convert it first: .*cast2mmhier'):
        model.init_weights()


def test_layer_depth_follows_the_blocks():
    model = tiny_cast()
    depth = {
        name: model.get_layer_depth('backbone.' + name, 'backbone.')
        for name in ('cls_token', 'tokenizer.stem.layers.0.conv.weight',
                     'stages.0.1.norm1.weight', 'pools.0.expand.0.weight',
                     'stages.3.0.norm1.weight', 'norm.weight')
    }
    assert [d[0] for d in depth.values()] == [0, 0, 2, 2, 5, 6]
    assert {d[1] for d in depth.values()} == {7}
    assert model.get_layer_depth('head.fc.weight', 'backbone.') == (6, 7)
