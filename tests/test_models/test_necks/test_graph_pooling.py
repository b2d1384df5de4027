"""Graph pooling: slow reference, masks, few tokens."""

import pytest
import torch
import torch.nn.functional as F

from mmhierseg.models import GraphPooling
from mmhierseg.ops import farthest_point_sampling


def pooling(seed=0, num_clusters=4, **options):
    torch.manual_seed(seed)
    return GraphPooling(16, num_clusters, num_heads=4, **options).eval()


def tokens_of(batch=2, num=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(batch, 16, generator=generator),
            torch.randn(batch, num, 16, generator=generator))


def slow_pooling(module, cls_token, tokens):
    """The paper's formulas, token by token, for one image."""
    normed = module.grouping.norm(tokens)
    attn = module.grouping.attn
    query, key, value = attn.qkv(normed).view(-1, 3, 4, 4).permute(1, 2, 0, 3)
    weights = (query @ key.transpose(1, 2) / 2).softmax(-1)
    u = tokens + attn.proj((weights @ value).transpose(0, 1).reshape(-1, 16))
    u = u - u.mean(0) + module.grouping.bias
    sampled = farthest_point_sampling(tokens[None], module.num_clusters)[0]
    logits = torch.stack([
        5 * F.cosine_similarity(u, u[k], dim=-1) for k in sampled
    ], dim=1)
    p = logits.softmax(1)
    y = module.expand(torch.cat([cls_token[None], tokens]))
    clusters = torch.stack([
        sum(p[i, k] * y[1 + i] for i in range(len(tokens))) / p[:, k].sum()
        for k in range(module.num_clusters)
    ])
    z = module.project(torch.cat([y[:1], clusters]))
    return z[0] + cls_token, z[1:] + tokens[sampled], logits


def test_agrees_with_slow_reference():
    module = pooling()
    cls_token, tokens = tokens_of()
    with torch.no_grad():
        out = module(cls_token, tokens)
        for b in range(2):
            expected = slow_pooling(module, cls_token[b], tokens[b])
            for a, e in zip((out.cls_token, out.tokens, out.logits), expected):
                torch.testing.assert_close(a[b], e, atol=1e-5, rtol=1e-4)
    assert torch.equal(out.parents, out.logits.argmax(-1))


def test_permutation_of_tokens():
    module = pooling()
    cls_token, tokens = tokens_of()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(3))
    out = module(cls_token, tokens)
    permuted = module(cls_token, tokens[:, order])
    torch.testing.assert_close(permuted.tokens, out.tokens)
    assert torch.equal(permuted.parents, out.parents[:, order])
    assert torch.equal(order[permuted.sampled], out.sampled)


def test_empty_tokens_are_masked():
    """Quirk: with ``mask_empty=False`` they are pooled like others."""
    cls_token, tokens = tokens_of()
    padded = torch.cat([tokens, torch.full((2, 3, 16), 50.)], dim=1)
    empty = torch.zeros(2, 12, dtype=torch.bool)
    empty[:, 9:] = True
    out = pooling()(cls_token, padded, empty)
    expected = pooling()(cls_token, tokens)
    torch.testing.assert_close(out.tokens, expected.tokens)
    torch.testing.assert_close(out.logits[:, :9], expected.logits)
    assert torch.equal(out.sampled, expected.sampled)
    quirk = pooling(mask_empty=False)(cls_token, padded, empty)
    assert not torch.allclose(out.tokens, quirk.tokens)
    assert (quirk.sampled >= 0).all()


@pytest.mark.parametrize('num_tokens', [1, 3])
def test_fewer_tokens_than_clusters(num_tokens):
    cls_token, tokens = tokens_of(num=num_tokens)
    out = pooling()(cls_token, tokens)
    assert ((out.sampled >= 0).sum(1) == num_tokens).all()
    assert (out.tokens[out.sampled < 0] == 0).all()
    assert out.tokens.isfinite().all() and out.logits.isfinite().all()
    # Parents are clusters that exist.
    assert (out.sampled.gather(1, out.parents) >= 0).all()


def test_an_image_of_empty_tokens_is_finite():
    cls_token, tokens = tokens_of()
    empty = torch.tensor([[True] * 9, [False] * 9])
    tokens.requires_grad_()
    out = pooling()(cls_token, tokens, empty)
    out.tokens.sum().backward()
    assert (out.tokens[0] == 0).all() and (out.sampled[0] == -1).all()
    assert tokens.grad.isfinite().all() and out.logits.isfinite().all()


def test_bad_options_and_inputs():
    with pytest.raises(ValueError, match='`num_clusters` must be at least 1'):
        GraphPooling(24, 0)
    cls_token, tokens = tokens_of()
    for arguments, error, message in [
        ((cls_token[:1], tokens), ValueError, '`cls_token` must have shape'),
        ((cls_token, tokens, tokens[..., 0]), TypeError, 'must be bool')]:
        with pytest.raises(error, match=message):
            pooling()(*arguments)
