"""The pre-norm transformer block of CAST's stages and of its mask decoder."""

from typing import Optional

import torch.nn as nn
from mmcv.cnn.bricks import DropPath
from mmcv.cnn.bricks.transformer import FFN
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .attention import MaskedSelfAttention


class TransformerBlock(nn.Module):
    """Pre-norm ViT block: attention and MLP, each with a residual.

    Args:
        embed_dims (int): Width C.
        num_heads (int): Number of heads.
        mlp_ratio (float): Width of the MLP over C. Defaults to 4.
        drop_rate (float): Dropout after projection and MLP. Defaults to 0.
        drop_path_rate (float): Stochastic depth rate. Defaults to 0.
        with_cp (bool): Whether to recompute the block in the backward pass
            instead of keeping its activations. Defaults to False.
        attn_drop_rate (float): Dropout of the attention weights.
            Defaults to 0.
        norm_eps (float): Of the two LayerNorms. Defaults to 1e-6.
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
        self.attn = MaskedSelfAttention(
            embed_dims,
            num_heads,
            proj_drop_rate=drop_rate,
            attn_drop_rate=attn_drop_rate)
        self.norm2 = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.mlp = FFN(
            embed_dims,
            int(embed_dims * mlp_ratio),
            act_cfg=dict(type='GELU'),
            ffn_drop=drop_rate,
            add_identity=False)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor, empty: Optional[Tensor] = None) -> Tensor:
        """Run the block.

        Args:
            x (Tensor): (B, N, C) tokens, the class token among them.
            empty (Tensor, optional): (B, N) bool, tokens that nobody attends
                to. Defaults to None.

        Returns:
            Tensor: (B, N, C).
        """
        if self.with_cp and x.requires_grad:
            return checkpoint(self._forward, x, empty, use_reentrant=False)
        return self._forward(x, empty)

    def _forward(self, x: Tensor, empty: Optional[Tensor]) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x), empty))
        return x + self.drop_path(self.mlp(self.norm2(x)))
