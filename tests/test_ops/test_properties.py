"""What operators have in common: batch, layout, precision, gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from mmhierseg import ops

pytestmark = pytest.mark.usefixtures('implementation')


def floats(*shape):
    torch.manual_seed(sum(shape))
    # Exact in half precision.
    return torch.randn(*shape).half().float()


def ints(*shape, low=-1, high=5):
    torch.manual_seed(sum(shape))
    return torch.randint(low, high, shape)


EMPTY = ints(3, 12, low=0) == 0
UNIT = F.normalize(floats(3, 12, 4), dim=2).half().float()
SHARES = floats(3, 12, 5).sigmoid().half().float()
BANK, BANK_LABELS = floats(40, 6), ints(40, low=0)

#: Operator, and arguments whose first axis is that of images.
CASES = {
    'assignment_logits': (ops.assignment_logits, floats(3, 12, 4), ints(3, 5)),
    'cluster_views': (lambda x: ops.cluster_views(x, (2, 2)),
                      floats(3, 4, 5, 7)),
    'collapse_loss': (ops.collapse_loss, SHARES[..., :2], EMPTY),
    'compact_labels': (lambda x: ops.compact_labels(x)[0],
                       ints(3, 5, 7, high=40)),
    'farthest_points': (lambda x, empty: ops.farthest_point_sampling(
        x, 6, empty), floats(3, 12, 4), EMPTY),
    'knn_adjacency': (lambda x, *rest: ops.knn_adjacency(x, 2, *rest), UNIT,
                      EMPTY, ints(3, 12, low=0, high=3)),
    'knn_retrieve': (lambda x: ops.knn_retrieve(
        x, BANK.to(x.dtype), BANK_LABELS, 5, 5), floats(15, 6)),
    'knn_search': (lambda x: ops.knn_search(x, BANK.to(x.dtype), 5)[0],
                   floats(15, 6)),
    'masked_mean': (ops.masked_mean, floats(3, 12, 4), EMPTY),
    'modularity_loss': (ops.modularity_loss, SHARES[..., :2],
                        1. * (floats(3, 12, 12) > 0), EMPTY),
    'pool_tokens': (ops.pool_tokens, floats(3, 12, 4), SHARES, EMPTY),
    'segment_class_counts': (lambda *maps: ops.segment_class_counts(
        *maps, 5, 3), ints(3, 6, 9), ints(3, 6, 9, low=0, high=3)),
    'segment_cross_entropy': (ops.segment_cross_entropy, floats(3, 5, 4),
                              ints(3, 5, 4, low=0, high=1000)),
    'segment_mean': (lambda *maps: ops.segment_mean(*maps, 5)[0],
                     floats(3, 4, 3, 5), ints(3, 12, 20)),
    'segment_prototypes': (lambda *x: ops.segment_prototypes(*x[:3], 5, x[3]),
                           UNIT, ints(3, 12, low=0, high=9000), ints(3, 12),
                           EMPTY),
    'spherical_kmeans': (lambda x, labels: ops.spherical_kmeans(x, labels, 5),
                         floats(3, 12, 4), ints(3, 12)),
    'tokens_to_map': (lambda *x: ops.tokens_to_map(*x, 4), floats(3, 5, 4),
                      ints(3, 10, 13)),
}


@pytest.mark.parametrize('name', CASES)
def test_batch_layout_and_autocast_have_no_effect(name):
    operator, *arguments = CASES[name]
    expected = operator(*arguments)
    alone = [operator(*(x[i:i + 1] for x in arguments))
             for i in range(len(arguments[0]))]
    turned = [x.movedim(-1, 0).contiguous().movedim(0, -1) for x in arguments]
    with torch.autocast('cpu', torch.bfloat16):
        found = [operator(*turned)]
    found.append(torch.cat(alone) if expected.dim() else sum(alone))
    for same in found:
        torch.testing.assert_close(same, expected)


@pytest.mark.parametrize('name', CASES)
def test_precision(name):
    """Half precision is computed in float32, and float64 stays."""
    operator, *arguments = CASES[name]
    expected = operator(*arguments)
    for dtype in (torch.float16, torch.float64):
        found = operator(*(
            x.to(dtype) if x.is_floating_point() else x for x in arguments))
        if name in ('masked_mean', 'tokens_to_map'):
            torch.testing.assert_close(found, expected.to(dtype), rtol=1e-3,
                                       atol=1e-5)
            continue
        if expected.is_floating_point():
            assert found.dtype == torch.promote_types(dtype, torch.float32)
        torch.testing.assert_close(found.to(expected), expected)


class Float64Only(TorchDispatchMode):
    """No operator returns a narrower floating-point tensor."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple) else [result]:
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                assert value.dtype == torch.float64, function
        return result


def double(arguments):
    return [x.double() if x.is_floating_point() else x for x in arguments]


@pytest.mark.parametrize('default', [torch.float32, torch.float64])
@pytest.mark.parametrize('name', [
    # The initial grid of pixels is computed in float32.
    name for name in CASES if name != 'cluster_views'])
def test_nothing_in_float64_is_float32(name, default, monkeypatch):
    operator, *arguments = CASES[name]
    operator(*double(arguments))
    monkeypatch.setattr(torch, 'get_float32_matmul_precision', lambda: 'high')
    torch.set_default_dtype(default)
    try:
        with Float64Only():
            operator(*double(arguments))
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize('name', [
    'assignment_logits', 'collapse_loss', 'masked_mean', 'modularity_loss',
    'pool_tokens', 'segment_cross_entropy', 'segment_prototypes',
    'tokens_to_map'
])
def test_gradcheck(name):
    operator, *arguments = CASES[name]
    assert torch.autograd.gradcheck(operator, [
        x.double().requires_grad_() if x.is_floating_point() else x
        for x in arguments
    ])


@pytest.mark.parametrize('name', [
    'segment_class_counts', 'segment_mean', 'segment_prototypes'])
def test_names_of_segments_permute_the_result(name):
    operator, *arguments = CASES[name]
    place = dict(segment_class_counts=0, segment_prototypes=2).get(name, 1)
    order = torch.tensor([3, 0, 4, 1, 2])
    renamed = list(arguments)
    renamed[place] = torch.where(
        arguments[place] < 0, -1, order[arguments[place]])
    torch.testing.assert_close(operator(*renamed)[:, order],
                               operator(*arguments))
