"""Multi-head self-attention that can leave tokens out as keys."""

from typing import Optional

import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class MaskedSelfAttention(nn.Module):
    """Multi-head self-attention with masked keys.

    MMPretrain's ``MultiheadAttention`` has no mask; with ``empty=None`` the
    two agree.

    Args:
        embed_dims (int): Width C.
        num_heads (int): Number of heads; divides C.
        qkv_bias (bool): Whether queries, keys and values have a bias.
            Defaults to True.
        proj_drop_rate (float): Dropout after the projection. Defaults to 0.
        attn_drop_rate (float): Dropout of the attention weights.
            Defaults to 0.

    Raises:
        ValueError: If ``num_heads`` does not divide ``embed_dims``.
    """

    def __init__(self,
                 embed_dims: int,
                 num_heads: int,
                 qkv_bias: bool = True,
                 proj_drop_rate: float = 0.,
                 attn_drop_rate: float = 0.) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'`num_heads` must divide `embed_dims` '
                             f'({embed_dims}), got {num_heads}')
        self.num_heads = num_heads
        self.attn_drop_rate = attn_drop_rate
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop_rate)

    def forward(self, x: Tensor, empty: Optional[Tensor] = None) -> Tensor:
        """Attend.

        Args:
            x (Tensor): (B, N, C).
            empty (Tensor, optional): (B, N) bool, keys to leave out. They
                still attend as queries. Every image needs a key: see
                :func:`keep_one_key`. Defaults to None.

        Returns:
            Tensor: (B, N, C).
        """
        batch, num_tokens, channels = x.shape
        qkv = self.qkv(x).view(batch, num_tokens, 3, self.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mask = None if empty is None else ~empty[:, None, None, :]
        drop_rate = self.attn_drop_rate if self.training else 0.
        out = F.scaled_dot_product_attention(query, key, value, mask,
                                             drop_rate)
        out = out.transpose(1, 2).reshape(batch, num_tokens, channels)
        return self.proj_drop(self.proj(out))


def keep_one_key(empty: Tensor) -> Tensor:
    """Mask under which an image of empty tokens attends to all of them.

    A softmax over no key at all is undefined; what comes out for such an
    image is finite and looked at by nobody.

    Args:
        empty (Tensor): (B, N) bool.

    Returns:
        Tensor: (B, N) bool, all False in rows that were all True.
    """
    return empty & ~empty.all(dim=1, keepdim=True)
