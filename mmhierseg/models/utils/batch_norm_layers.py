"""Layers of a DETR-like encoder and decoder with batch normalisation.

As in DETR (Carion et al., ECCV 2020): post-norm, with positions added to
queries and keys but not to values. As in HSG (Ke et al., CVPR 2022), batch
normalisation over channels replaces LayerNorm.

Legend: B sequences, N tokens, K queries, C channels.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from .batch_norm import TokenBatchNorm


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

    def _attend(self,
                attention: nn.MultiheadAttention,
                query: Tensor,
                key: Tensor,
                value: Tensor,
                masked: Tensor | None = None) -> Tensor:
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
                excluded: Tensor | None = None,
                num_keys: int | None = None) -> Tensor:
        """(B, N, C) tokens and their positions to (B, N, C).

        Of the first ``num_keys`` tokens, those not ``masked`` are keys, at
        least one in each sequence; those not ``excluded`` count in the batch
        statistics. Masks are (B, N) bool.
        """
        query = tokens + positions
        keys = slice(num_keys)
        update = self._attend(self.self_attn, query, query[:, keys],
                              tokens[:, keys],
                              None if masked is None else masked[:, keys])
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
        update = self._attend(self.self_attn, query, query, targets)
        targets = self.norm1(targets + update)
        update = self._attend(self.multihead_attn, targets + query_positions,
                              memory + positions, memory, masked)
        targets = self.norm2(targets + update)
        return self.norm3(targets + self._feed_forward(targets))
