"""Graph pooling: slow reference, masks."""

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


def test_bad_options_and_inputs():
    with pytest.raises(ValueError, match='`num_clusters` must be at least 1'):
        GraphPooling(24, 0)
    cls_token, tokens = tokens_of()
    for arguments, error, message in [
        ((cls_token[:1], tokens), ValueError, '`cls_token` must have shape'),
        ((cls_token, tokens, tokens[..., 0]), TypeError, 'must be bool')]:
        with pytest.raises(error, match=message):
            pooling()(*arguments)
