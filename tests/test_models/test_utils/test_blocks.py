import pytest
import torch
from mmpretrain.models.utils import MultiheadAttention

from mmhierseg.models.utils import (
    BlockFusion,
    ConvStem,
    MaskedSelfAttention,
    TransformerBlock,
)


def test_attention_agrees_with_mmpretrain():
    torch.manual_seed(0)
    ours, theirs = MaskedSelfAttention(24, 4), MultiheadAttention(24, 4)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 7, 24)
    torch.testing.assert_close(ours(x), theirs(x))


def test_masked_keys_are_as_if_not_there():
    torch.manual_seed(0)
    attention = MaskedSelfAttention(24, 4)
    x = torch.randn(2, 7, 24)
    empty = torch.tensor([[False] * 5 + [True] * 2] * 2)
    torch.testing.assert_close(
        attention(x, empty)[:, :5], attention(x[:, :5]))


def test_block_is_two_residuals():
    torch.manual_seed(0)
    block = TransformerBlock(24, 4).eval()
    x = torch.randn(2, 7, 24)
    y = x + block.attn(block.norm1(x))
    linear1, linear2 = block.mlp.layers[0][0], block.mlp.layers[1]
    z = y + linear2(torch.nn.functional.gelu(linear1(block.norm2(y))))
    torch.testing.assert_close(block(x), z)


@pytest.mark.parametrize('height, width', [(64, 32), (61, 33), (1, 7)])
def test_stem_has_stride_eight(height, width):
    out = ConvStem(16).eval()(torch.randn(1, 3, height, width))
    assert out.shape == (1, 16, -(-height // 8), -(-width // 8))


def test_fusion_normalises_rows_that_take_part():
    torch.manual_seed(0)
    fusion = BlockFusion(8, num_stages=2, drop_rate=0.).train()
    cls_tokens = [torch.randn(3, 8) for _ in range(2)]
    tokens = [torch.randn(3, 5, 8) for _ in range(2)]
    empty = torch.zeros(3, 5, dtype=torch.bool)
    empty[1, 2:] = True
    out = fusion(cls_tokens, tokens, empty)
    rows = torch.cat([
        torch.cat(cls_tokens, -1),
        torch.cat(tokens, -1)[~empty],
    ])
    normed = (rows - rows.mean(0)) / (
        rows.var(0, unbiased=False) + fusion.norm.eps).sqrt()
    expected = fusion.proj(normed)
    torch.testing.assert_close(out[:, 0], expected[:3])
    torch.testing.assert_close(out[:, 1:][~empty], expected[3:])
    assert (out[:, 1:][empty] == 0).all()
