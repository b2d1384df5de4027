"""CAST with a fixed number of tokens: no synchronisation, one graph."""

import contextlib
import copy

import pytest
import torch
from helpers.cast import (
    LargestTensor,
    block_labels,
    each_output,
    random_inputs,
    tensors,
    tiny_cast,
)
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mmhierseg.models.utils import ConvStem

NUM_TOKENS = 30
#: Tracing takes seconds for each block and each step of a sampler.
SHALLOW = dict(
    arch=dict(embed_dims=16, depths=(1, 1), num_heads=2), num_clusters=(3, 2))


def uneven_inputs():
    """Two images of 24 and 6 segments."""
    inputs = random_inputs(2, 64, 96)
    inputs[1, 3] = block_labels(64, 96, 32)
    return inputs


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.
    return model


def assert_same(got, expected):
    """Up to rounding; ``got`` has more tokens, which are empty."""
    for a, b in zip(tensors(got), tensors(expected)):
        torch.testing.assert_close(
            a[:, :b.size(1)], b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('segment_at', ['stem', 'pixel'])
@each_output
def test_fixed_number_of_tokens_changes_nothing(options, segment_at):
    options = dict(options, segment_at=segment_at,
                   superpixels=dict(type='Grid', segment_size=16))
    fixed, free = (
        without_dropout(tiny_cast(num_tokens=number, **options))
        for number in (NUM_TOKENS, None))
    inputs = uneven_inputs()
    for training in (False, True):
        fixed.train(training), free.train(training)
        assert_same(fixed(inputs), free(inputs))
    fixed.eval(), free.eval()
    # Without a map of superpixels, too.
    assert_same(fixed(inputs[:, :3]), free(inputs[:, :3]))
    hierarchies = [
        model.forward_hierarchy(inputs).hierarchy for model in (fixed, free)
    ]
    for level in range(5):
        assert torch.equal(*(x.label_map(level) for x in hierarchies))


def test_bad_segments():
    inputs = random_inputs(2, 64, 96)
    with pytest.raises(ValueError, match='`num_tokens` = 23: raise it'):
        tiny_cast(num_tokens=23)(inputs)
    inputs[0, 3, 0, 0] = 64 * 96
    with pytest.raises(ValueError, match=r'number of pixels \(6144\)'):
        tiny_cast(num_tokens=NUM_TOKENS)(inputs)
    inputs[0, 3, 0, 0] = .5
    with pytest.raises(ValueError, match='got fractions'):
        tiny_cast(num_tokens=NUM_TOKENS)(inputs)


class ReadCounter(TorchDispatchMode):
    """Counts the operators whose results the host waits for."""

    NAMES = ('_local_scalar_dense', 'item', 'nonzero', 'masked_select',
             'is_nonzero', 'unique', '_unique2', 'unique_consecutive')

    def __init__(self):
        super().__init__()
        self.found, self.number = [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.number += 1
        if name in self.NAMES:
            self.found.append(name)
        elif name in ('index', 'index_put', 'index_put_') and any(
                index is not None and index.dtype == torch.bool
                for index in args[1]):
            self.found.append(f'{name} by a mask')
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize('segment_at', ['stem', 'pixel'])
@each_output
def test_training_step_reads_no_values(options, segment_at, monkeypatch):
    """On the meta device, which runs the operators that a GPU runs."""
    # It has no autocast, which the model only disables.
    monkeypatch.setattr(torch, 'autocast',
                        lambda *_, **__: contextlib.nullcontext())
    model = tiny_cast(
        segment_at=segment_at, num_tokens=NUM_TOKENS, **options)
    model = model.to('meta').train()
    # Other optimizers count their steps in tensors on the CPU.
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    with ReadCounter() as reads:
        outputs = model(uneven_inputs().to('meta'))
        sum(x.float().mean() for x in tensors(outputs)).backward()
        optimizer.step()
    assert reads.found == [] and reads.number > 500


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('segment_at', ['stem', 'pixel'])
@each_output
def test_gpu_never_waits_in_a_training_step(options, segment_at, monkeypatch):
    """Large maps of segments, too."""
    monkeypatch.setattr('mmhierseg.ops.segment_weights._MATRIX_NUMEL', 0)
    model = tiny_cast(
        segment_at=segment_at, num_tokens=NUM_TOKENS, **options)
    model, inputs = model.cuda().train(), uneven_inputs().cuda()
    for mode in ('default', 'error'):
        torch.cuda.set_sync_debug_mode(mode)
        try:
            sum(x.float().mean() for x in tensors(model(inputs))).backward()
            if mode == 'error':
                # A wait would have been noticed.
                with pytest.raises(RuntimeError, match='synchroniz'):
                    inputs.sum().item()
        finally:
            torch.cuda.set_sync_debug_mode('default')


@pytest.mark.slow
@each_output
def test_inference_is_one_graph(options):
    """``fullgraph`` is the default: a graph break would be an error."""
    torch._dynamo.reset()
    inputs = uneven_inputs()
    options = {**options, 'num_tokens': NUM_TOKENS, **SHALLOW}
    if 'out_indices' in options:
        options['out_indices'] = (0, -1, 'fused')
    model, compiled = (
        tiny_cast(**options, compile_cfg=cfg)
        for cfg in (None, dict(backend='eager')))
    with torch.no_grad():
        assert_same(compiled(inputs), model(inputs))


@pytest.mark.slow
def test_training_is_one_graph(monkeypatch):
    torch._dynamo.reset()
    inputs = uneven_inputs()
    options = dict(
        out_type='avg_segments', segment_at='pixel', num_tokens=NUM_TOKENS,
        **SHALLOW)
    # Large matrices are avoided.
    monkeypatch.setattr('mmhierseg.ops.segment_weights._MATRIX_NUMEL', 1000)
    results = []
    for compile_cfg in (None, dict(backend='aot_eager')):
        model = without_dropout(tiny_cast(**options, compile_cfg=compile_cfg))
        out = model.train()(inputs)[0]
        out.square().sum().backward()
        results.append([out, *model.buffers(), *(
            p.grad for p in model.parameters() if p.grad is not None)])
    torch.testing.assert_close(*results, atol=1e-3, rtol=1e-3)


def test_copies_use_their_own_weights():
    torch._dynamo.reset()
    model = tiny_cast(
        num_tokens=NUM_TOKENS, compile_cfg=dict(backend='eager'), **SHALLOW)
    other = copy.deepcopy(model)
    nn.init.zeros_(other.norm.weight)
    inputs = random_inputs()
    with torch.no_grad():
        assert model(inputs)[0].any()
        assert torch.equal(other(inputs)[0],
                           other.norm.bias.expand(len(inputs), -1))
        assert model(inputs)[0].any()


def test_memory_does_not_grow_with_segments_times_pixels(monkeypatch):
    """No result is larger than the MLPs' hidden features or the stem's."""
    largest, stem = LargestTensor(), ConvStem.convolve

    def convolve(self, image):
        recorded = list(largest.all)
        features = stem(self, image)
        largest.all[:] = recorded
        return features

    monkeypatch.setattr(ConvStem, 'convolve', convolve)
    inputs = uneven_inputs()
    for options in (dict(segment_at='pixel'), dict(segment_at='stem'),
                    dict(segment_at='pixel', num_tokens=NUM_TOKENS)):
        model = tiny_cast(out_type='segments', **options).train()
        with largest:
            model(inputs)
        hidden = len(inputs) * (NUM_TOKENS + 1) * 4 * model.embed_dims
        # int64 labels count twice.
        assert max(largest.all) <= 4 * max(hidden, inputs.numel())
