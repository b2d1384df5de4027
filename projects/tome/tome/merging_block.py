"""A transformer block that merges tokens between attention and MLP.

ToMe (arXiv 2210.09461), Sec. 3: tokens are compared by the mean of their keys
over the heads; a token of size s counts s times in the attention.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.models.utils import MaskedSelfAttention, TransformerBlock

from .token_merging import match_tokens, merge_tokens


class ProportionalAttention(MaskedSelfAttention):
    """Self-attention with the logarithms of sizes added to its logits."""

    def forward(self, x: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, C) to (B, N, C) and (B, N, C / heads), the mean keys.

        ``sizes`` are (B, N) float; tokens of size 0 are masked as keys.
        """
        batch, num_tokens, channels = x.shape
        qkv = self.qkv(x).view(batch, num_tokens, 3, self.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        # log 0 = -inf masks empty tokens.
        bias = sizes.log().to(query.dtype)[:, None, None, :]
        out = F.scaled_dot_product_attention(query, key, value, bias)
        out = out.transpose(1, 2).reshape(batch, num_tokens, channels)
        return self.proj_drop(self.proj(out)), key.mean(dim=1)


class MergingBlock(TransformerBlock):
    """:class:`TransformerBlock` that merges ``num_merged`` tokens into others.

    They are merged after its attention. It has the same parameters.
    """

    def __init__(self, embed_dims: int, num_heads: int, num_merged: int,
                 drop_rate: float, **kwargs) -> None:
        super().__init__(
            embed_dims, num_heads, drop_rate=drop_rate, **kwargs)
        self.attn = ProportionalAttention(
            embed_dims, num_heads, proj_drop_rate=drop_rate)
        self.num_merged = num_merged

    def forward(self, x: Tensor,
                sizes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run the block on (B, 1 + N, C), the class token first.

        ``sizes`` are (B, N) float32 of the other tokens, 0 = empty; empty ones
        come last. Gives (B, 1 + M, C), their sizes (B, M), and parents (B, N)
        int64 in [0, M - 1].
        """
        attended, keys = self.attn(
            self.norm1(x), F.pad(sizes, (1, 0), value=1.))
        x = x + self.drop_path(attended)
        parents, count = match_tokens(keys[:, 1:], sizes, self.num_merged)
        tokens, sizes = merge_tokens(x[:, 1:], sizes, parents, count)
        x = torch.cat([x[:, :1], tokens], dim=1)
        return x + self.drop_path(self.mlp(self.norm2(x))), sizes, parents
