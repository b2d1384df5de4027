import pytest
import torch
import torch.nn.functional as F

from mmhierseg import ops


def test_logits_are_scaled_cosines():
    torch.manual_seed(0)
    features = torch.randn(2, 6, 4)
    sampled = torch.tensor([[0, 5, 2], [1, 3, -1]])
    logits = ops.assignment_logits(features, sampled)
    cosine = F.cosine_similarity(features[0, 4], features[0, 5], dim=0)
    torch.testing.assert_close(logits[0, 4, 1], 5 * cosine)
    # Empty clusters get no weight.
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert not logits.to(dtype).softmax(2)[1, :, 2].any()
    assert logits[0].abs().max() <= 5 + 1e-5
    # A centroid is nearest to itself.
    assert logits[0].argmax(1)[sampled[0]].tolist() == [0, 1, 2]


def test_pooled_token_is_the_weighted_mean():
    # Weights 1, 3 and values 2, 6: (1 * 2 + 3 * 6) / 4 = 5.
    values = torch.tensor([[[2.], [6.], [100.]]])
    assignment = torch.tensor([[[1., 0.], [3., 0.], [9., 9.]]])
    empty = torch.tensor([[False, False, True]])
    pooled = ops.pool_tokens(values, assignment, empty)
    assert pooled.flatten().tolist() == [5., 0.]
    order = torch.tensor([[2, 0, -1]])
    assert ops.take_tokens(values, order).flatten().tolist() == [100., 2., 0.]


def test_mean_of_nothing_and_of_nan_that_is_left_out():
    tokens = torch.tensor([[[2.], [torch.nan]], [[1.], [1.]]],
                          requires_grad=True)
    empty = torch.tensor([[False, True], [True, True]])
    mean = ops.masked_mean(tokens, empty)
    mean.sum().backward()
    assert mean.tolist() == [[2.], [0.]]
    assert ops.masked_mean(tokens)[1] == 1
    assert tokens.grad.flatten().tolist() == [1., 0., 0., 0.]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(dtype):
    """1023 tokens near 100: the sum is above 65504, the count above 256."""
    tokens = (100 + torch.randn(2, 1024, 3)).to(dtype)
    empty = torch.zeros(2, 1024, dtype=torch.bool)
    empty[:, 5] = True
    mean = ops.masked_mean(tokens, empty)
    expected = tokens[:, ~empty[0]].float().mean(dim=1)
    assert torch.equal(mean, expected.to(dtype))
