"""Building blocks: attention, stem, fusion, learned positions."""

import pytest
import torch
from mmpretrain.models.utils import MultiheadAttention

from mmhierseg.models.utils import (
    BlockFusion,
    LearnedPositions,
    MaskedSelfAttention,
)


def test_attention_agrees_with_mmpretrain():
    torch.manual_seed(0)
    ours, theirs = MaskedSelfAttention(24, 4), MultiheadAttention(24, 4)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 7, 24)
    torch.testing.assert_close(ours(x), theirs(x))


def test_masked_keys_have_no_effect():
    torch.manual_seed(0)
    attention = MaskedSelfAttention(24, 4)
    x = torch.randn(2, 7, 24)
    empty = torch.tensor([[False] * 5 + [True] * 2] * 2)
    torch.testing.assert_close(
        attention(x, empty)[:, :5], attention(x[:, :5]))


def test_empty_segments_are_left_out_of_the_fusions_statistics():
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


def test_columns_come_before_rows():
    positions = LearnedPositions(6)
    encoding = positions(7, 50)
    rows, columns = positions.row_embed.weight, positions.col_embed.weight
    assert encoding.shape == (7, 50, 6)
    assert torch.equal(encoding[3, 20], torch.cat([columns[20], rows[3]]))
    encoding = LearnedPositions(6, init_range=0.1)(50, 50)
    assert encoding.min() >= 0 and 0.09 < encoding.max() < 0.1


@pytest.mark.parametrize('size, last', [(50, 49), (28, 27)])
def test_trained_positions_are_interpolated_for_larger_maps(size, last):
    positions = LearnedPositions(4, position_size=size)
    table = positions.row_embed.weight
    columns, rows = positions(2 * last + 1, size).split(2, dim=2)
    torch.testing.assert_close(rows[::2, 0], table[:size])
    torch.testing.assert_close(rows[1, 0], table[:2].mean(0))
    assert torch.equal(columns[5], positions.col_embed.weight[:size])
    rows.sum().backward()
    assert (table.grad[:size] > 0).all() and (table.grad[size:] == 0).all()


@pytest.mark.parametrize('options, message', [
    (dict(embed_dims=5), '`embed_dims` must be even'),
    (dict(embed_dims=4, position_size=51), r'`max_positions` \(50\), got 51'),
    (dict(embed_dims=4, position_size=0), '`position_size` must be at least'),
])
def test_bad_positions(options, message):
    with pytest.raises(ValueError, match=message):
        LearnedPositions(**options)
