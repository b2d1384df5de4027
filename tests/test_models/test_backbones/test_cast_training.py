"""CAST in training: gradients, precision, freezing, initialisation, DDP."""

import argparse
import copy
import math

import pytest
import torch
from helpers.cast import DATA, TINY, random_inputs, tiny_cast
from helpers.distributed import (
    mean_square,
    run_on_two_processes,
    save_gradients,
)
from mmengine.runner import load_checkpoint

from mmhierseg.models import CAST

OUTPUTS = [
    dict(out_type='cls_token'),
    dict(out_type='avg_segments'),
    dict(out_type='segments'),
    dict(out_type='featmap', out_indices=(0, 1)),
    dict(out_type='featmap', out_indices=(0, 1, 2, 3)),
    dict(out_type='featmap', out_indices=(3, 'fused')),
]


def names(options):
    return '-'.join(str(value) for value in options.values())


# ------------------------------------------------- used and unused parameters


@pytest.mark.parametrize('segment_at', ['stem', 'pixel'])
@pytest.mark.parametrize('options', OUTPUTS, ids=names)
def test_exactly_the_used_parameters_require_gradients(options, segment_at):
    model = tiny_cast(segment_at=segment_at, pos_embed='learned', **options)
    mean_square(model.train()(random_inputs())).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


def frozen(model):
    """Modules without a trained parameter, by the first parts of the name."""
    parts = {}
    for name, parameter in model.named_parameters():
        key = '.'.join(name.split('.')[:3 if 'pools' in name else 2])
        parts.setdefault(key, []).append(parameter.requires_grad)
    return {key for key, trained in parts.items() if not any(trained)}


def test_unused_parameters_by_output():
    assert frozen(tiny_cast()) == {
        'pools.3.grouping', 'pools.3.expand', 'pools.3.project'
    }
    assert frozen(tiny_cast(out_type='segments')) == {'pools.3.grouping'}
    shallow = frozen(tiny_cast(out_type='featmap', out_indices=(0, 1)))
    assert {'stages.2', 'stages.3', 'pools.1.grouping'} <= shallow
    assert 'pools.0.grouping' not in shallow


def test_last_pooling_is_not_computed_unless_asked_for():
    model = tiny_cast()
    calls = []
    model.pools[-1].register_forward_hook(lambda *_: calls.append(1))
    model(random_inputs())
    assert not calls
    model.forward_hierarchy(random_inputs())
    assert calls == [1]


@pytest.mark.distributed
@pytest.mark.parametrize('options', [OUTPUTS[0], OUTPUTS[1], OUTPUTS[4]],
                         ids=names)
def test_two_processes_without_unused_parameter_search(options, tmp_path):
    inputs = random_inputs(4).double()
    out = tmp_path / 'gradients.pth'
    # BN in eval mode: two processes with half the batch are one with all.
    options = dict(
        norm_eval=True, pool_drop_rate=0., fusion_drop_rate=0., **options)
    run_on_two_processes(save_gradients, options, inputs, out)
    gradients = torch.load(out, weights_only=True)
    model = tiny_cast(**options).double().train()
    mean_square(model(inputs)).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(
                gradients[name], parameter.grad, atol=1e-12, rtol=1e-9)


# ------------------------------------------------------------------ precision


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('options', OUTPUTS, ids=names)
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


def test_float64_model():
    model = tiny_cast().double()
    out = model(random_inputs().double())[0]
    assert out.dtype == torch.float64
    torch.testing.assert_close(
        out.float(), tiny_cast()(random_inputs())[0], atol=1e-4, rtol=1e-4)


def test_gradient_of_the_image():
    model = tiny_cast(out_type='segments').double()
    inputs = random_inputs(1, 16, 24, side=8).double()
    image = inputs[:, :3].clone().requires_grad_()
    direction = torch.randn(image.shape, dtype=torch.float64)

    def value(pixels):
        return model(torch.cat([pixels, inputs[:, 3:]], 1))[0].tokens.square(
        ).sum()

    gradient, = torch.autograd.grad(value(image), image)
    step = 1e-6
    with torch.no_grad():
        numeric = (value(image + step * direction) -
                   value(image - step * direction)) / (2 * step)
    torch.testing.assert_close(
        (gradient * direction).sum(), numeric, rtol=1e-5, atol=1e-8)


# ----------------------------------------- checkpointing, drop path, freezing


@pytest.mark.parametrize('options', OUTPUTS, ids=names)
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


def test_drop_path_grows_with_depth_and_rests_in_eval():
    model = tiny_cast(drop_path_rate=0.4)
    rates = [
        block.drop_path.drop_prob for stage in model.stages for block in stage
    ]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    inputs = random_inputs()
    assert torch.equal(model(inputs)[0], model(inputs)[0])
    model.train()
    assert not torch.equal(model(inputs)[0], model(inputs)[0])


@pytest.mark.parametrize('frozen_stages', [-1, 0, 1, 4])
def test_frozen_stages(frozen_stages):
    model = tiny_cast(frozen_stages=frozen_stages, pos_embed='learned')
    model.train()
    is_frozen = frozen_stages >= 0
    tokenizer = model.tokenizer
    for parameter in (model.cls_token, *tokenizer.parameters()):
        assert parameter.requires_grad != is_frozen
    assert tokenizer.stem.training != is_frozen
    for index, stage in enumerate(model.stages):
        trained = index >= frozen_stages
        assert stage.training == trained
        assert all(p.requires_grad == trained for p in stage.parameters())
    before = [b.clone() for b in tokenizer.stem.buffers()]
    model(random_inputs())
    moved = any(
        not torch.equal(a, b)
        for a, b in zip(before, tokenizer.stem.buffers()))
    assert moved != is_frozen


@pytest.mark.parametrize('out_type', ['cls_token', 'avg_segments'])
def test_freezing_all_stages_freezes_everything(out_type):
    """As linear probing needs it: no gradient, no dropout, no statistics."""
    model = tiny_cast(
        out_type=out_type, frozen_stages=4, norm_eval=True, drop_rate=0.5,
        drop_path_rate=0.5, pool_drop_rate=0.5)
    inputs = random_inputs()
    expected = model(inputs)[0]
    model.train()
    assert not any(p.requires_grad for p in model.parameters())
    before = copy.deepcopy(model.state_dict())
    torch.testing.assert_close(model(inputs)[0], expected, rtol=0, atol=0)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_norm_eval_keeps_statistics():
    model = tiny_cast(norm_eval=True, out_type='segments').train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model(random_inputs())
    assert all(
        torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_empty_segments_stay_out_of_the_fusions_statistics():
    model = tiny_cast(out_type='avg_segments')
    inputs = random_inputs(2)
    mixed = inputs.clone()
    mixed[1, 3] = 0  # one segment: 23 rows of padding beside the first image
    statistics = []
    for batch in (inputs, mixed):
        model.fusion.norm.reset_running_stats()
        model.fusion.norm.train()
        rows = []
        hook = model.fusion.norm.register_forward_hook(
            lambda _, args, __, rows=rows: rows.append(args[0].size(0)))
        model(batch)
        hook.remove()
        statistics.append(rows[0])
    assert statistics == [2 * (1 + 24), (1 + 24) + (1 + 1)]


# ------------------------------------------------------------- initialisation


def wide_cast(**options):
    arch = dict(embed_dims=192, depths=(1, 1, 1, 1), num_heads=4)
    torch.manual_seed(0)
    model = CAST(**{**TINY, 'arch': arch, **options})
    model.init_weights()
    return model


def test_initialisation_of_moco():
    model = wide_cast()
    qkv = model.stages[0][0].attn.qkv
    bound = math.sqrt(6 / (192 + 192))
    assert 0.98 * bound < qkv.weight.abs().max() <= bound
    fc1 = model.stages[0][0].mlp.layers[0][0]
    bound = math.sqrt(6 / (192 + 768))
    assert 0.98 * bound < fc1.weight.abs().max() <= bound
    linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert all((m.bias == 0).all() for m in linear)
    assert 0 < model.cls_token.std() < 2e-6
    assert 'tokenizer.pos_embed' not in dict(model.named_parameters())


def test_initialisation_of_deit():
    model = wide_cast(pos_embed='learned')
    for weight in (model.tokenizer.pos_embed, model.cls_token,
                   model.stages[1][0].attn.qkv.weight,
                   model.pools[0].expand[1].weight):
        assert weight.detach().std() == pytest.approx(0.02, rel=0.2)
    assert model.tokenizer.pos_embed.requires_grad


@pytest.mark.parametrize('pos_embed', ['sincos', 'learned'])
def test_convolutions_are_drawn_as_pytorch_draws_them(pos_embed):
    layers = wide_cast(pos_embed=pos_embed).tokenizer.stem.layers
    for weight in [layer.conv.weight for layer in layers[:4]]:
        bound = 1 / math.sqrt(weight[0].numel())
        assert 0.95 * bound < weight.detach().abs().max() <= bound


def test_other_init_cfg_comes_after_the_draw():
    model = wide_cast(
        init_cfg=dict(type='Constant', layer='Linear', val=.5, bias=.25))
    linear = model.stages[0][0].attn.qkv
    assert (linear.weight == .5).all() and (linear.bias == .25).all()
    assert model.cls_token.detach().abs().max() < 1e-5


def test_weights_are_initialised_once():
    model = wide_cast()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.init_weights()
    assert all(
        torch.equal(v, before[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize('pos_embed', ['sincos', 'learned'])
def test_grouping_biases_are_drawn(pos_embed):
    biases = torch.stack(
        [pool.grouping.bias for pool in wide_cast(pos_embed=pos_embed).pools])
    assert biases.detach().std() == pytest.approx(0.01, rel=0.2)


# ----------------------------------------------- checkpoints of other sizes


@pytest.mark.parametrize('pos_embed', ['sincos', 'learned'])
def test_positions_are_resized_when_loaded(pos_embed, tmp_path):
    source = tiny_cast(pos_embed=pos_embed)
    path = tmp_path / 'checkpoint.pth'
    torch.save(dict(state_dict=source.state_dict()), path)
    larger = tiny_cast(pos_embed=pos_embed, img_size=(96, 160), seed=1)
    load_checkpoint(larger, str(path), strict=True)
    table = source.tokenizer.pos_embed[:, 1:].transpose(1, 2).view(1, 48, 8, 8)
    expected = torch.nn.functional.interpolate(
        table, (12, 20), mode='bicubic').flatten(2).transpose(1, 2)
    torch.testing.assert_close(larger.tokenizer.pos_embed[:, 1:], expected)
    assert torch.equal(larger.tokenizer.cls_position,
                       source.tokenizer.cls_position)
    assert source.tokenizer.pos_embed.shape[1] == 65


@pytest.mark.parametrize('source_size, size', [((64, 128), (128, 64)),
                                               ((32, 72), (48, 48)),
                                               ((96, 160), (64, 64))])
def test_positions_of_oblong_images(source_size, size):
    """Two of the pairs have as many cells, in another grid."""
    source = tiny_cast(img_size=source_size)
    model = tiny_cast(img_size=size)
    model.load_state_dict(source.state_dict())
    grids = [tuple(n // 8 for n in pair) for pair in (source_size, size)]
    table = source.tokenizer.pos_embed[:, 1:].transpose(1, 2)
    expected = torch.nn.functional.interpolate(
        table.unflatten(2, grids[0]), grids[1], mode='bicubic')
    torch.testing.assert_close(model.tokenizer.pos_embed[:, 1:],
                               expected.flatten(2).transpose(1, 2))
    assert model.tokenizer.pos_grid.tolist() == list(grids[1])


def test_positions_in_an_unknown_grid():
    state_dict = tiny_cast(img_size=(96, 160)).state_dict()
    del state_dict['tokenizer.pos_grid']
    with pytest.raises(ValueError, match=r'\(tokenizer.pos_embed\) of 240 '
                       'cells but does not say in which grid'):
        tiny_cast().load_state_dict(state_dict)


@pytest.mark.parametrize('as_list', [False, True])
def test_pretrained_init_cfg_is_not_drawn_over(as_list, tmp_path):
    source = tiny_cast()
    path = tmp_path / 'checkpoint.pth'
    torch.save(
        dict(state_dict={
            'backbone.' + k: v
            for k, v in source.state_dict().items()
        }), path)
    init_cfg = dict(
        type='Pretrained', checkpoint=str(path), prefix='backbone.')
    model = tiny_cast(seed=1, init_cfg=[init_cfg] if as_list else init_cfg)
    model.init_weights()
    assert torch.equal(
        model(random_inputs())[0],
        source(random_inputs())[0])


@pytest.mark.parametrize('name', ['cast_moco.pth.tar', 'cast_deit.pth'])
def test_an_authors_checkpoint_is_refused(name):
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
