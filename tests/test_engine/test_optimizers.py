"""SGD with the rate inside its momentum, and groups by patterns of names.

The groups of shipped configs are tested in test_recipes.
"""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmhierseg.engine import SGD

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


def test_rate_is_inside_the_momentum():
    """Equal to a written-out loop, where the rate changes, too."""
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
    """The default; the other form differs only where the rate changes."""
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


def test_patterns():
    model = nn.ModuleDict(dict(
        trunk=nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
        head=nn.MultiheadAttention(2, 1)))
    model.trunk[0].bias.requires_grad = False

    def groups(**paramwise):
        wrapper = build_optim_wrapper(model, dict(
            constructor='mmhierseg.PatternOptimWrapperConstructor',
            optimizer=dict(type='mmhierseg.SGD', lr=1., weight_decay=1.),
            paramwise_cfg=paramwise))
        names = {id(p): name for name, p in model.named_parameters()}
        return {(group['lr'], group['weight_decay']): sorted(
            names[id(p)] for p in group['params'])
            for group in wrapper.optimizer.param_groups}

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
