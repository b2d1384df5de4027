import copy

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmhierseg.models import CAST
from mmhierseg.models.utils import FastLinear, fast_linear, use_fast_linear
from mmhierseg.models.utils import linear as module


@pytest.fixture(params=['0', '1'])
def switch(request, monkeypatch):
    """Both ways, whatever the CPU."""
    if request.param == '1' and not module.has_onednn():
        pytest.skip('no oneDNN here')
    monkeypatch.setenv('MMHIERSEG_ONEDNN', request.param)
    return request.param == '1'


def operators(call):
    """Names of what runs."""
    with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU]) as record:
        call()
    return {event.name for event in record.events()}


def draw(*shape, **options):
    generator = torch.Generator().manual_seed(len(shape))
    return torch.randn(*shape, generator=generator, **options)


@pytest.mark.parametrize('shape', [(5, 24), (3, 7, 24), (2, 1, 4, 24)])
@pytest.mark.parametrize('with_bias', [True, False])
def test_same_as_pytorch(switch, shape, with_bias):
    """Results and gradients; rows and columns of different numbers."""
    x = draw(*shape).requires_grad_()
    weight = draw(10, 24).requires_grad_()
    bias = draw(10).requires_grad_() if with_bias else None
    leaves = [leaf for leaf in (x, weight, bias) if leaf is not None]
    results = [linear(x, weight, bias) for linear in (fast_linear, F.linear)]
    torch.testing.assert_close(*results)
    grad = draw(*shape[:-1], 10)
    for own, other in zip(*(torch.autograd.grad(y, leaves, grad)
                            for y in results)):
        assert own.shape == other.shape
        torch.testing.assert_close(own, other)
    with torch.no_grad():
        torch.testing.assert_close(fast_linear(x, weight, bias), results[1])


def test_strides_are_of_no_matter(switch):
    x, weight = draw(24, 6, 4).permute(2, 1, 0), draw(24, 10).t()
    torch.testing.assert_close(
        fast_linear(x, weight), F.linear(x, weight))


def test_gradients_of_some(switch):
    """Frozen weights, and images without gradients."""
    x, weight = draw(5, 24), draw(10, 24)
    for leaf in (x, weight):
        leaf.requires_grad_()
        fast_linear(x, weight).sum().backward()
        assert leaf.grad is not None
        leaf.requires_grad_(False)
    assert fast_linear(x, weight).requires_grad is False


def test_gradients_of_gradients(switch):
    x = draw(5, 24).requires_grad_()
    weight = draw(10, 24).mul(0.1).requires_grad_()
    penalties = []
    for linear in (fast_linear, F.linear):
        grad, = torch.autograd.grad(
            linear(x, weight).square().sum(), x, create_graph=True)
        penalties.append(torch.autograd.grad(grad.square().sum(),
                                             (x, weight)))
    for own, other in zip(*penalties):
        torch.testing.assert_close(own, other)


def test_operator(switch):
    x, weight = draw(5, 24), draw(10, 24)
    found = operators(lambda: fast_linear(x, weight))
    assert ('mkldnn::_linear_pointwise' in found) == switch
    assert ('aten::linear' in found) != switch


@pytest.mark.parametrize('x', [
    draw(5, 24, dtype=torch.float64), draw(24), draw(0, 24),
    draw(5, 24, dtype=torch.bfloat16)
], ids=['float64', 'vector', 'empty', 'bfloat16'])
def test_left_to_pytorch(monkeypatch, x):
    monkeypatch.setenv('MMHIERSEG_ONEDNN', '1')
    weight = draw(10, 24, dtype=x.dtype)
    found = operators(lambda: fast_linear(x, weight))
    assert 'mkldnn::_linear_pointwise' not in found
    torch.testing.assert_close(fast_linear(x, weight), F.linear(x, weight))


def test_autocast(switch):
    layer = FastLinear(24, 10)
    with torch.autocast('cpu', torch.bfloat16):
        assert layer(draw(5, 24)).dtype == torch.bfloat16


def test_traced_and_compiled_as_pytorch_has_it(monkeypatch):
    monkeypatch.setenv('MMHIERSEG_ONEDNN', '1')
    layer, x = FastLinear(24, 10).eval(), draw(5, 24)
    traced = torch.jit.trace(layer, x)
    assert 'aten::linear' in str(traced.inlined_graph)
    compiled = torch.compile(layer, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), traced(x))
    each = torch.func.vmap(layer)(x)
    torch.testing.assert_close(each, traced(x))


def test_operations_are_counted(switch):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        fast_linear(draw(3, 5, 24), draw(10, 24))
    assert counter.get_total_flops() == 2 * 3 * 5 * 24 * 10


def test_replacing_keeps_everything():
    layers = nn.Sequential(
        nn.Linear(8, 8), nn.ReLU(), FFN(8, 16), nn.Bilinear(8, 8, 4)).eval()
    before = copy.deepcopy(layers)
    state = torch.get_rng_state()
    use_fast_linear(layers)
    assert torch.equal(torch.get_rng_state(), state)
    assert repr(layers).count('FastLinear') == 3
    assert isinstance(layers[3], nn.Bilinear)
    assert not any(x.training for x in layers.modules())
    assert list(layers.state_dict()) == list(before.state_dict())
    for own, other in zip(layers.parameters(), before.parameters()):
        assert torch.equal(own, other) and own.is_leaf
    use_fast_linear(layers)  # Nothing is left to do.
    assert repr(layers).count('FastLinear') == 3


def test_all_of_cast():
    model = CAST(dict(embed_dims=48, depths=(1, 1, 1, 1), num_heads=4),
                 img_size=64, num_clusters=(8, 6, 4, 2), out_type='segments')
    layers = [x for x in model.modules() if isinstance(x, nn.Linear)]
    # Four of a block, of which there are four; in a pooling two, and two of
    # its attention; the fusion's one.
    assert len(layers) >= 33
    assert all(isinstance(x, FastLinear) for x in layers)


@pytest.mark.parametrize('cpu, slow', [
    ('vendor_id : AuthenticAMD\nflags : fpu avx2 avx512f avx512bw', True),
    ('vendor_id : AuthenticAMD\nflags : fpu avx2', False),
    ('vendor_id : GenuineIntel\nflags : fpu avx2 avx512f', False),
    ('', False),
])
def test_cpus_that_take_onednn(cpu, slow, monkeypatch):
    """Those with AVX-512 that MKL does not use."""
    monkeypatch.delenv('MMHIERSEG_ONEDNN', raising=False)
    monkeypatch.setattr(module, '_cpu', lambda: cpu)
    assert module._is_worthwhile() == (slow and module.has_onednn())
