"""Building blocks: fusion, masked normalisation, learned positions."""

import copy

import pytest
import torch
from helpers.batch_norm import normalise_on_process, rows_of_two_processes
from helpers.distributed import run_on_two_processes
from torch import nn

from mmhierseg.models.utils import (
    BlockFusion,
    LearnedPositions,
    MaskedSelfAttention,
    weighted_batch_norm,
)


def test_empty_segments_are_left_out_of_the_fusions_statistics():
    torch.manual_seed(0)
    fusion = BlockFusion(8, 2, 0., dict(type='BN')).train()
    cls_tokens = [torch.randn(3, 8) for _ in range(2)]
    tokens = [torch.randn(3, 5, 8) for _ in range(2)]
    empty = torch.zeros(3, 5, dtype=torch.bool)
    empty[1, 2:] = True
    out = fusion(cls_tokens, tokens, empty)
    rows = torch.cat([
        torch.cat(cls_tokens, -1),
        torch.cat(tokens, -1)[~empty],
    ])
    expected = fusion.proj(
        nn.functional.batch_norm(rows, None, None, training=True))
    torch.testing.assert_close(out[:, 0], expected[:3])
    torch.testing.assert_close(out[:, 1:][~empty], expected[3:])
    assert (out[:, 1:][empty] == 0).all()


@pytest.mark.parametrize('training', [False, True])
def test_attention_trains_in_float32_on_a_cpu(training):
    """Half precision has a slow gradient there; inference is as asked for."""
    torch.manual_seed(0)
    attention = MaskedSelfAttention(32, 4).bfloat16().requires_grad_(training)
    x = torch.randn(2, 9, 32, dtype=torch.bfloat16)
    qkv = attention.qkv(x).view(2, 9, 3, 4, 8).permute(2, 0, 3, 1, 4)
    expected, wide = (
        nn.functional.scaled_dot_product_attention(*y).to(x)
        for y in (qkv, qkv.float()))
    assert not expected.equal(wide)
    out = attention(x)
    expected = wide if training else expected
    assert out.equal(attention.proj(expected.transpose(1, 2).flatten(2)))
    # Under autocast, too, which would compute in half precision.
    attention.float().proj = nn.Identity()
    with torch.autocast('cpu', torch.bfloat16):
        qkv = attention.qkv(x).view(2, 9, 3, 4, 8).permute(2, 0, 3, 1, 4)
        out = attention(x)
    if training:
        qkv = qkv.float()
    expected = nn.functional.scaled_dot_product_attention(*qkv).to(x)
    assert out.equal(expected.transpose(1, 2).flatten(2))


@pytest.mark.parametrize('number, options', [
    (7, dict()), (1, dict()), (7, dict(momentum=None)),
    (1, dict(momentum=None)), (7, dict(affine=False)),
    (7, dict(track_running_stats=False))])
def test_batch_norm_of_some_rows(number, options):
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(5, **options).double()
    if norm.track_running_stats:
        norm.running_mean.normal_()
    masked = copy.deepcopy(norm)
    x = torch.randn(2, 6, 5).double()
    valid = torch.zeros(12, dtype=torch.bool)
    valid[torch.randperm(12)[:number]] = True
    valid = valid.view(2, 6)
    for _ in range(2):
        # A single row is normalised by the running statistics.
        expected = norm(x[valid]) if number > 1 else norm.eval()(x[valid])
        got = weighted_batch_norm(masked, x, valid)
        torch.testing.assert_close(got[valid], expected)
    torch.testing.assert_close(
        dict(masked.named_buffers()), dict(norm.named_buffers()))
    assert torch.autograd.gradcheck(
        lambda x: weighted_batch_norm(masked, x, valid)[valid],
        x.requires_grad_())


@pytest.mark.slow
@pytest.mark.distributed
def test_weighted_batch_norm_over_processes(tmp_path):
    """It is the norm of the repeated rows of both."""
    run_on_two_processes(normalise_on_process, tmp_path)
    x, weights, grad = rows_of_two_processes()
    norm, kept = nn.BatchNorm1d(5).double(), weights > 0
    x.requires_grad_()
    rows = norm(x.flatten(0, 2).repeat_interleave(weights.flatten(), 0))
    first = weights.flatten().cumsum(0).view_as(weights) - weights
    y = torch.zeros_like(x).masked_scatter(kept[..., None], rows[first[kept]])
    y.backward(grad)
    for rank in range(2):
        torch.testing.assert_close(
            torch.load(tmp_path / f'{rank}.pth'),
            [y[rank].detach(), x.grad[rank], norm.running_mean,
             norm.running_var])


def test_columns_come_before_rows():
    positions = LearnedPositions(6, init_range=0.1)
    encoding = positions(7, 50)
    rows, columns = positions.row_embed.weight, positions.col_embed.weight
    assert encoding.shape == (7, 50, 6)
    assert torch.equal(encoding[3, 20], torch.cat([columns[20], rows[3]]))
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
    (dict(embed_dims=4, position_size=51), '`position_size` .* 50, got 51'),
])
def test_bad_positions(options, message):
    with pytest.raises(ValueError, match=message):
        LearnedPositions(**options)
