import pytest
import torch

from mmhierseg.ops import masked_mean


def test_leaves_empty_tokens_out():
    tokens = torch.randn(2, 5, 3)
    empty = torch.tensor([[False] * 5, [True, False, True, False, False]])
    means = masked_mean(tokens, empty)
    torch.testing.assert_close(means[0], tokens[0].mean(0))
    torch.testing.assert_close(means[1], tokens[1, [1, 3, 4]].mean(0))
    torch.testing.assert_close(masked_mean(tokens), tokens.mean(1))


def test_nothing_to_average_gives_zero_with_a_gradient():
    tokens = torch.randn(1, 3, 2, requires_grad=True)
    mean = masked_mean(tokens, torch.ones(1, 3, dtype=torch.bool))
    mean.sum().backward()
    assert (mean == 0).all() and (tokens.grad == 0).all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(dtype):
    """1023 tokens near 100: the sum is above 65504, the count above 256."""
    generator = torch.Generator().manual_seed(0)
    tokens = 100 + torch.randn(2, 1024, 3, generator=generator)
    tokens = tokens.to(dtype)
    empty = torch.zeros(2, 1024, dtype=torch.bool)
    empty[:, 5] = True
    mean = masked_mean(tokens, empty)
    expected = tokens[:, ~empty[0]].float().mean(dim=1)
    assert torch.equal(mean, expected.to(dtype))


def test_what_is_left_out_need_not_be_finite():
    tokens = torch.tensor([[[2.], [float('nan')]]], requires_grad=True)
    mean = masked_mean(tokens, torch.tensor([[False, True]]))
    mean.sum().backward()
    assert mean.tolist() == [[2.]]
    assert tokens.grad.tolist() == [[[1.], [0.]]]
