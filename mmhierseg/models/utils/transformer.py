"""The vision transformer's block, its attention and its initialisations.

Legend: B images, N tokens, C channels.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from mmcv.cnn.bricks.transformer import FFN
from mmengine.model.weight_init import trunc_normal_
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmhierseg.ops.checks import is_exporting, wide


class MaskedSelfAttention(nn.Module):
    """Multi-head self-attention with masked keys.

    Without a mask it agrees with MMPretrain's ``MultiheadAttention``, which
    has none.
    """

    def __init__(self,
                 embed_dims: int,
                 num_heads: int,
                 proj_drop_rate: float = 0.,
                 attn_drop_rate: float = 0.) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'`num_heads` must divide `embed_dims` '
                             f'({embed_dims}), got {num_heads}')
        self.num_heads = num_heads
        self.attn_drop_rate = attn_drop_rate
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop_rate)

    def forward(self, x: Tensor, empty: Tensor | None = None) -> Tensor:
        """(B, N, C) to (B, N, C); ``empty``, (B, N) bool, masks keys.

        Each image needs an unmasked key, see :func:`keep_one_key`.
        """
        batch, num_tokens, channels = x.shape
        qkv = self.qkv(x).view(batch, num_tokens, 3, self.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mask = None if empty is None else ~empty[:, None, None, :]
        drop_rate = self.attn_drop_rate if self.training else 0.
        out = _attend(query, key, value, mask, drop_rate)
        out = out.transpose(1, 2).reshape(batch, num_tokens, channels)
        return self.proj_drop(self.proj(out))


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None,
            drop_rate: float) -> Tensor:
    """Attention; in float32 where its gradient in half precision is slow."""
    if (query.device.type == 'cpu' and query.requires_grad
            and query.dtype in (torch.bfloat16, torch.float16)
            and not (is_exporting() or torch.jit.is_tracing())):
        with torch.autocast('cpu', enabled=False):
            out = F.scaled_dot_product_attention(
                wide(query), wide(key), wide(value), mask, drop_rate)
        return out.to(query.dtype)
    return F.scaled_dot_product_attention(query, key, value, mask, drop_rate)


def keep_one_key(empty: Tensor) -> Tensor:
    """Unmask all keys of images whose keys are all masked, in (B, N) bool.

    A softmax over no keys is undefined; the result for such an image is
    finite this way, and is not used.
    """
    return empty & ~empty.all(dim=1, keepdim=True)


class TransformerBlock(nn.Module):
    """Pre-norm ViT block: attention and MLP, each with a residual.

    With ``with_cp``, its activations are recomputed in the backward pass.
    """

    def __init__(self,
                 embed_dims: int,
                 num_heads: int,
                 mlp_ratio: float = 4.,
                 drop_rate: float = 0.,
                 drop_path_rate: float = 0.,
                 with_cp: bool = False,
                 attn_drop_rate: float = 0.,
                 norm_eps: float = 1e-6) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.norm1 = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.attn = MaskedSelfAttention(embed_dims, num_heads, drop_rate,
                                        attn_drop_rate)
        self.norm2 = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.mlp = FFN(
            embed_dims,
            int(embed_dims * mlp_ratio),
            act_cfg=dict(type='GELU'),
            ffn_drop=drop_rate,
            add_identity=False)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor, empty: Tensor | None = None) -> Tensor:
        """(B, N, C) to (B, N, C); ``empty``, (B, N) bool, masks keys."""
        if self.with_cp and x.requires_grad:
            return checkpoint(self._forward, x, empty, use_reentrant=False)
        return self._forward(x, empty)

    def _forward(self, x: Tensor, empty: Tensor | None) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x), empty))
        return x + self.drop_path(self.mlp(self.norm2(x)))


def init_mocov3_(module: nn.Module) -> None:
    """Initialise linear layers as MoCo v3 does (Chen et al., ICCV 2021).

    Weights are Xavier-uniform, biases zero. A joint layer, named 'qkv',
    counts as three matrices: its bound is sqrt(6 / (out / 3 + in)).
    """
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Linear):
            continue
        if name.rsplit('.', 1)[-1] == 'qkv':
            fan = layer.out_features // 3 + layer.in_features
            bound = math.sqrt(6 / fan)
            nn.init.uniform_(layer.weight, -bound, bound)
        else:
            nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def init_timm_vit_(module: nn.Module) -> None:
    """Initialise linear layers as timm's ViT and DeiT (ICML 2021) do.

    Weights are truncated normal of standard deviation 0.02, biases zero.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            trunc_normal_(layer.weight, std=.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
