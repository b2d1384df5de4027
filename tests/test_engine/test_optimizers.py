"""AdamW, SGD with the rate inside its momentum, and groups of parameters.

The groups of shipped configs are tested in test_recipes.
"""

import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmhierseg.engine import SGD, AdamW
from mmhierseg.registry import MODELS

RATES = (0.1, 0.1, 0.01, 0.3)


def run(optimizer, parameters, rates, start=0):
    """Steps of known gradients; the parameters at the end."""
    for i, rate in enumerate(rates, start):
        for group in optimizer.param_groups:
            group['lr'] = rate * group['factor']
        for j, parameter in enumerate(parameters):
            # One has no gradient at times.
            parameter.grad = None if (i, j) == (1, 2) else torch.sin(
                parameter.detach() + i + j)
        optimizer.step()
    return [parameter.detach().clone() for parameter in parameters]


def make(kind, **options):
    """Two groups of parameters and their optimizer."""
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(3, 2).double()) for _ in range(3)]
    return kind([
        dict(params=parameters[:2], factor=1),
        dict(params=parameters[2:], factor=2, weight_decay=0.)
    ], lr=1., momentum=0.9, weight_decay=1e-2, **options), parameters


def train(model, optimizer, steps):
    """With gradient scaling, which a fused optimizer does by itself."""
    scaler = torch.amp.GradScaler('cpu')
    for step in steps:
        optimizer.zero_grad()
        loss = model(torch.full((2, 4), step + 1.)).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


@pytest.mark.parametrize('fused', [None, False])
def test_adamw_loads_the_state_of_either_implementation(fused):
    torch.manual_seed(0)
    expected = nn.Linear(4, 3)
    model = copy.deepcopy(expected)
    train(expected, torch.optim.AdamW(expected.parameters(), lr=0.1), range(4))
    # The other implementation for two steps, then this one.
    before = torch.optim.AdamW(model.parameters(), lr=0.1,
                               fused=fused is False)
    train(model, before, range(2))
    optimizer = AdamW([dict(params=model.parameters())], fused=fused)
    optimizer.load_state_dict(before.state_dict())
    train(model, optimizer, range(2, 4))
    assert optimizer.param_groups[0]['fused'] is (fused is None)
    torch.testing.assert_close(model.weight, expected.weight)


@pytest.mark.parametrize('options', [
    dict(foreach=True), dict(differentiable=True), dict(fused=False)])
def test_adamw_is_not_fused_where_it_cannot_be(options):
    optimizer = AdamW(nn.Linear(4, 3).named_parameters(), **options)
    assert not optimizer.param_groups[0]['fused']
    group = dict(params=nn.Linear(4, 3).parameters(), **options)
    assert not AdamW([group]).param_groups[0]['fused']


def test_rate_is_inside_the_momentum():
    """As in an explicit loop, also if the rate changes."""
    found = run(*make(SGD, rate_in_momentum=True), RATES)
    _, parameters = make(SGD)
    for j, parameter in enumerate(parameters):
        p, v = parameter.detach(), torch.zeros(3, 2).double()
        for i, rate in enumerate(RATES):
            if (i, j) != (1, 2):
                rate *= 2 if j == 2 else 1
                decay = 0 if j == 2 else 1e-2
                v = 0.9 * v + rate * (torch.sin(p + i + j) + decay * p)
                p = p - v
        torch.testing.assert_close(found[j], p, rtol=1e-14, atol=0)


def test_pytorchs_form():
    """The default; the other form differs only if the rate changes."""
    torch.testing.assert_close(run(*make(SGD), RATES),
                               run(*make(torch.optim.SGD), RATES),
                               rtol=0, atol=0)
    for rates, same in ((RATES[:2], True), (RATES[:3], False)):
        one, other = (run(*make(SGD, rate_in_momentum=form), rates)[0]
                      for form in (False, True))
        assert torch.allclose(one, other, rtol=1e-12) == same
    with pytest.raises(ValueError, match='`nesterov` and `rate_in_m'):
        make(SGD, rate_in_momentum=True, nesterov=True)


def test_resume():
    whole = run(*make(SGD, rate_in_momentum=True), RATES)
    optimizer, parameters = make(SGD, rate_in_momentum=True)
    run(optimizer, parameters, RATES[:2])
    resumed, others = make(SGD, rate_in_momentum=True)
    resumed.load_state_dict(optimizer.state_dict())
    for parameter, other in zip(parameters, others):
        other.data.copy_(parameter.data)
    torch.testing.assert_close(run(resumed, others, RATES[2:], start=2),
                               whole, rtol=0, atol=0)


def groups_of(model, constructor, **paramwise):
    """Names of parameters by learning rate and weight decay."""
    wrapper = build_optim_wrapper(model, dict(
        constructor=f'mmhierseg.{constructor}',
        optimizer=dict(type='mmhierseg.SGD', lr=1., weight_decay=1.),
        paramwise_cfg=paramwise))
    names = {id(p): name for name, p in model.named_parameters()}
    found = {}
    for group in wrapper.optimizer.param_groups:
        found.setdefault((group['lr'], group['weight_decay']), []).extend(
            sorted(names[id(p)] for p in group['params']))
    return found


def test_patterns():
    model = nn.ModuleDict(dict(
        trunk=nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
        head=nn.MultiheadAttention(2, 1)))
    model.trunk[0].bias.requires_grad = False

    def groups(**paramwise):
        return groups_of(model, 'PatternOptimWrapperConstructor', **paramwise)

    patterns = {'*bias': dict(lr_mult=2, decay_mult=0),
                'head.*': dict(lr_mult=10)}
    assert groups(patterns=patterns) == {
        (1, 1): ['trunk.0.weight', 'trunk.1.weight'],
        (2, 0): ['trunk.1.bias'],
        (10, 1): ['head.in_proj_weight', 'head.out_proj.weight'],
        (20, 0): ['head.in_proj_bias', 'head.out_proj.bias'],
    }
    with pytest.raises(ValueError, match=r"got \['nec\*'\], which match no"):
        groups(patterns={'nec*': {}})
    with pytest.raises(ValueError, match=r"`patterns` alone, got \['cust"):
        groups(custom_keys={})


def test_rates_fall_from_the_head_to_the_stem():
    backbone = MODELS.build(dict(
        type='mmhierseg.CAST', img_size=32, num_clusters=(8, 6, 4, 2),
        arch=dict(embed_dims=16, depths=(2, 1, 1, 1), num_heads=2),
        out_type='featmap'))
    model = nn.ModuleDict(
        dict(backbone=backbone, decode_head=nn.Conv2d(16, 3, 1)))
    kind = 'LayerDecayOptimWrapperConstructor'
    options = dict(layer_decay_rate=0.5, flat_decay_mult=0.)
    found = {name: key for key, names in groups_of(
        model, kind, **options).items() for name in names}
    parameters = {name: p for name, p in model.named_parameters()
                  if p.requires_grad}
    assert found.keys() == parameters.keys()
    for start, depth in (('decode_head.weight', 0),
                         ('backbone.stages.3.0.', 1),
                         ('backbone.stages.0.1.', 4),
                         ('backbone.stages.0.0.', 5),
                         ('backbone.tokenizer.', 6)):
        assert {rate for name, (rate, _) in found.items()
                if name.startswith(start)} == {0.5**depth}
    for name, (_, decay) in found.items():
        assert decay == (parameters[name].dim() > 1), name
    # A model that reports depths itself is asked first.
    classifier = nn.Linear(2, 2)
    with pytest.raises(NotImplementedError, match='`get_layer_depth`'):
        groups_of(classifier, kind, **options)
    classifier.get_layer_depth = lambda name: (0, 3)
    assert {rate for rate, _ in groups_of(classifier, kind, **options)} == {
        0.25}
