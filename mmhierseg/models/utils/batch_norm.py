"""Batch normalisation of tokens, some of which may be padding.

The layers are those of DETR (Carion et al., ECCV 2020): post-norm, with
positions added to queries and keys but not to values. As in HSG (Ke et al.,
CVPR 2022), batch normalisation over channels replaces LayerNorm.

Legend: B sequences, N tokens, K queries, C channels.
"""

import torch
import torch.nn.functional as F
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


class TokenBatchNorm(nn.Module):
    """Normalises the channels of tokens over batch and sequence.

    A wrapper, not a subclass: conversion to ``SyncBatchNorm`` replaces
    ``norm``, which is given (tokens, channels).
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(num_channels)

    def forward(self,
                tokens: Tensor,
                padding: Tensor | None = None) -> Tensor:
        """(..., C) to (..., C), zero where ``padding``, (...) bool, is set."""
        if padding is None:
            rows = normalise_rows(self.norm, tokens.flatten(0, -2))
            return rows.view_as(tokens)
        valid = ~padding
        rows = normalise_rows(self.norm, tokens[valid])
        return rows.new_zeros(tokens.shape).index_put((valid, ), rows)


def has_local_statistics(norm: nn.Module) -> bool:
    """Whether it is a BatchNorm with statistics of this process alone."""
    return isinstance(norm, _BatchNorm) and (
        not isinstance(norm, nn.SyncBatchNorm) or get_world_size() == 1)


def normalise_rows(norm: nn.Module, rows: Tensor) -> Tensor:
    """Apply a norm layer to (n, C, ...).

    In training, a single row, which has no variance, is normalised by the
    running statistics, which are not updated.
    """
    if norm.training and len(rows) < 2 and has_local_statistics(norm):
        return F.batch_norm(
            rows,
            norm.running_mean,
            norm.running_var,
            norm.weight,
            norm.bias,
            eps=norm.eps)
    return norm(rows)


def weighted_batch_norm(norm: _BatchNorm, x: Tensor,
                        weights: Tensor) -> Tensor:
    """Normalise (B, T, C) in training, each row counted ``weights`` times.

    Equivalent to ``norm`` of repeated rows, including running statistics; a
    ``SyncBatchNorm`` counts those of all processes. With bool weights, it is
    ``norm(x[weights])`` without a tensor whose size depends on values. Rows of
    weight 0 are finite and meaningless in the result; for a single row see
    :func:`normalise_rows`.
    """
    weights = weights[..., None]
    rows = x.masked_fill(weights == 0, 0)
    sums, number = (rows * weights).sum(dim=(0, 1)), weights.sum()
    if not has_local_statistics(norm):
        sums = all_reduce(torch.cat([sums, number[None].to(sums)]))
        sums, number = sums[:-1], sums[-1]
    number = number.clamp(min=1)
    mean = sums / number
    centred = (x - mean).masked_fill(weights == 0, 0)
    sums = (centred.square() * weights).sum(dim=(0, 1))
    if not has_local_statistics(norm):
        sums = all_reduce(sums)
    var = sums / number
    if norm.track_running_stats:
        several = number > 1
        unbiased = var * number / (number - 1).clamp(min=1)
        centred = torch.where(several, centred, x - norm.running_mean)
        var = torch.where(several, var, norm.running_var)
        with torch.no_grad():
            norm.num_batches_tracked.add_(several)
            momentum = norm.momentum
            if momentum is None:
                momentum = norm.num_batches_tracked.to(mean).clamp(min=1)
                momentum = momentum.reciprocal()
            for running, value in ((norm.running_mean, mean),
                                   (norm.running_var, unbiased)):
                running.add_(momentum * several * (value - running))
    scale = (var + norm.eps).rsqrt()
    if norm.affine:
        return centred * (scale * norm.weight) + norm.bias
    return centred * scale


class _FeedForwardLayer(nn.Module):
    """Parts that encoder and decoder layers share."""

    def __init__(self, embed_dims: int, num_heads: int,
                 feedforward_channels: int, drop_rate: float) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(
            embed_dims, num_heads, dropout=drop_rate, batch_first=True)
        self.linear1 = nn.Linear(embed_dims, feedforward_channels)
        self.linear2 = nn.Linear(feedforward_channels, embed_dims)
        self.dropout = nn.Dropout(drop_rate)

    def _attend(self, attention: nn.MultiheadAttention, query: Tensor,
                key: Tensor, value: Tensor, masked: Tensor | None) -> Tensor:
        # Returning the weights would rule out fused attention.
        out, _ = attention(
            query, key, value, key_padding_mask=masked, need_weights=False)
        return self.dropout(out)

    def _feed_forward(self, tokens: Tensor) -> Tensor:
        hidden = self.dropout(F.relu(self.linear1(tokens)))
        return self.dropout(self.linear2(hidden))


class BatchNormEncoderLayer(_FeedForwardLayer):
    """Self-attention and feed-forward network."""

    def __init__(self, embed_dims: int, *args) -> None:
        super().__init__(embed_dims, *args)
        self.norm1 = TokenBatchNorm(embed_dims)
        self.norm2 = TokenBatchNorm(embed_dims)

    def forward(self,
                tokens: Tensor,
                positions: Tensor,
                masked: Tensor | None = None,
                excluded: Tensor | None = None) -> Tensor:
        """(B, N, C) tokens and their positions to (B, N, C).

        Of the first L tokens, those not ``masked``, (B, L) bool, are keys, at
        least one in each sequence. Tokens not ``excluded``, (B, N) bool,
        count in the batch statistics.
        """
        query = tokens + positions
        keys = slice(None if masked is None else masked.size(1))
        update = self._attend(self.self_attn, query, query[:, keys],
                              tokens[:, keys], masked)
        tokens = self.norm1(tokens + update, excluded)
        return self.norm2(tokens + self._feed_forward(tokens), excluded)


class BatchNormDecoderLayer(_FeedForwardLayer):
    """Attention among queries and to a memory, and feed-forward network."""

    def __init__(self, embed_dims: int, num_heads: int,
                 feedforward_channels: int, drop_rate: float) -> None:
        super().__init__(embed_dims, num_heads, feedforward_channels,
                         drop_rate)
        self.multihead_attn = nn.MultiheadAttention(
            embed_dims, num_heads, dropout=drop_rate, batch_first=True)
        self.norm1 = TokenBatchNorm(embed_dims)
        self.norm2 = TokenBatchNorm(embed_dims)
        self.norm3 = TokenBatchNorm(embed_dims)

    def forward(self,
                targets: Tensor,
                query_positions: Tensor,
                memory: Tensor,
                positions: Tensor,
                masked: Tensor | None = None) -> Tensor:
        """(B, K, C) targets to (B, K, C), for the encoder's (B, N, C) memory.

        Positions are (K, C) of the queries and (B, N, C) of the memory;
        ``masked`` is as in the encoder.
        """
        query = targets + query_positions
        update = self._attend(self.self_attn, query, query, targets, None)
        targets = self.norm1(targets + update)
        update = self._attend(self.multihead_attn, targets + query_positions,
                              memory + positions, memory, masked)
        targets = self.norm2(targets + update)
        return self.norm3(targets + self._feed_forward(targets))
