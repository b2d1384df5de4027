import pytest
import torch
from torch import nn

from benchmarks.memory import held_bytes, peak_bytes

KIB = 1024


def zeros(kib):
    return torch.zeros(kib * KIB, dtype=torch.uint8)


def one_after_the_other():
    for _ in range(5):
        zeros(300)


def rise_and_fall():
    small = zeros(10)
    large = zeros(300)
    del large
    return small, zeros(20)


@pytest.mark.parametrize('work, kib', [
    (lambda: None, 0),
    (lambda: [zeros(300), zeros(50)], 350),
    (one_after_the_other, 300),
    (rise_and_fall, 310),
])
def test_known_sizes(work, kib):
    """The peak: not a sum over time, and not what is left."""
    assert peak_bytes(work) == kib * KIB


def test_temporaries_inside_an_operator_count():
    """Attention weights are no result of this operator."""
    query = torch.randn(1, 1, 512, 4)
    mask = torch.zeros(512, 512)

    def attention():
        return nn.functional.scaled_dot_product_attention(
            query, query, query, mask)

    with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        assert peak_bytes(attention) >= 4 * 512 * 512


def test_only_what_comes_on_top_counts():
    kept = zeros(200)
    # Views and writing in place take nothing but the number that is added.
    assert peak_bytes(lambda: kept.view(-1, 2).add_(1)) < KIB
    assert peak_bytes(lambda: kept.clone()) == 200 * KIB


def test_gradients_and_saved_activations_count():
    layers = nn.Sequential(*[nn.Linear(256, 256, bias=False)] * 3)
    inputs = torch.randn(128, 256)

    def forward_and_backward():
        layers(inputs).sum().backward()
        layers.zero_grad()

    forward_and_backward()
    with torch.no_grad():
        forward = peak_bytes(lambda: layers(inputs))
    # Two activations at once in one case; in the other also the one that is
    # kept for backward, and the gradient of the weights.
    size = inputs.nbytes
    assert 2 * size <= forward < 2 * size + KIB
    assert peak_bytes(forward_and_backward) >= (
        3 * size + layers[0].weight.nbytes)


def test_shared_storage_is_held_once():
    weight, other = torch.zeros(10, 20), torch.zeros(10, 20)
    assert held_bytes([weight, weight[2:], weight.t(), other]) == 1600


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_known_sizes_on_a_gpu():
    kept = torch.zeros(2**20, device='cuda')  # noqa: F841 - is not counted
    assert peak_bytes(
        lambda: torch.zeros(2**20, dtype=torch.uint8, device='cuda') + 1,
        'cuda') == 2**21
