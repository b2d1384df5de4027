import torch
import torch.nn.functional as F

from mmhierseg.ops import assignment_logits, pool_tokens, take_tokens
from mmhierseg.ops.grouping import EMPTY_LOGIT


def random_features(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 6, 4, generator=generator)


def test_logits_are_scaled_cosines():
    features = random_features()
    sampled = torch.tensor([[0, 5, 2], [1, 3, -1]])
    logits = assignment_logits(features, sampled)
    cosine = F.cosine_similarity(features[0, 4], features[0, 5], dim=0)
    torch.testing.assert_close(logits[0, 4, 1], 5 * cosine)
    assert (logits[1, :, 2] == EMPTY_LOGIT).all()
    assert logits[0].abs().max() <= 5 + 1e-5
    # A centroid is nearest to itself.
    assert logits[0].argmax(1)[sampled[0]].tolist() == [0, 1, 2]


def test_empty_clusters_get_no_weight_in_any_precision():
    logits = torch.tensor([[1., EMPTY_LOGIT]])
    for dtype in (torch.float16, torch.bfloat16, torch.float32,
                  torch.float64):
        assert logits.to(dtype).softmax(1)[0, 1] == 0


def test_pooled_token_is_the_weighted_mean():
    # Weights 1, 3 and values 2, 6: (1 * 2 + 3 * 6) / 4 = 5.
    values = torch.tensor([[[2.], [6.], [100.]]])
    assignment = torch.tensor([[[1., 0.], [3., 0.], [9., 9.]]])
    empty = torch.tensor([[False, False, True]])
    pooled = pool_tokens(values, assignment, empty)
    assert pooled.flatten().tolist() == [5., 0.]


def test_constant_tokens_pool_to_the_constant():
    assignment = random_features().softmax(-1)
    pooled = pool_tokens(torch.full((2, 6, 3), 2.5), assignment)
    torch.testing.assert_close(pooled, torch.full((2, 4, 3), 2.5))


def test_take_tokens_round_trip():
    features = random_features()
    order = torch.tensor([[3, 1, 0, 2, 5, 4]] * 2)
    back = take_tokens(take_tokens(features, order), order.argsort(1))
    assert torch.equal(back, features)


def test_gradcheck():
    features = random_features().double().requires_grad_()
    sampled = torch.tensor([[0, 5], [1, -1]])

    def grouped(x):
        logits = assignment_logits(x, sampled)
        return pool_tokens(x, logits.softmax(-1))

    assert torch.autograd.gradcheck(grouped, features)
