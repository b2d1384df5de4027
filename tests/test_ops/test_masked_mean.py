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
