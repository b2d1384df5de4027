import pytest
import torch
from mmpretrain.models.utils import MultiheadAttention

from mmhierseg.models.utils import (
    BlockFusion,
    ConvStem,
    MaskedSelfAttention,
    TransformerBlock,
    follow_parents,
    keep_one_key,
    split_rgbs,
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


def test_keep_one_key_opens_closed_rows_only():
    empty = torch.tensor([[True, True], [True, False], [False, False]])
    assert keep_one_key(empty).tolist() == [[False, False], [True, False],
                                            [False, False]]


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


def test_follow_parents_looks_up_ancestors():
    tokens = [
        torch.arange(4.).view(1, 4, 1),
        10 + torch.arange(3.).view(1, 3, 1),
        20 + torch.arange(2.).view(1, 2, 1),
    ]
    parents = [torch.tensor([[2, 0, 2, 1]]), torch.tensor([[1, 0, 0]])]
    ancestors = follow_parents(tokens, parents)
    assert [a.flatten().tolist() for a in ancestors] == [
        [0, 1, 2, 3], [12, 10, 12, 11], [20, 21, 20, 20]]


def test_split_rgbs_takes_the_map_off():
    inputs = torch.randn(2, 4, 3, 5)
    inputs[:, 3] = torch.randint(-3, 9, (2, 3, 5)).float()
    image, labels, largest = split_rgbs(inputs)
    assert torch.equal(image, inputs[:, :3])
    assert torch.equal(labels, inputs[:, 3].long().clamp(min=-1))
    assert largest == labels.max()
