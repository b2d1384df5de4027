"""Block fusion: one feature per finest segment from all stages' tokens."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.ops.checks import reads_are_free, wide

from .batch_norm import (
    has_local_statistics,
    normalise_rows,
    weighted_batch_norm,
)


class BlockFusion(BaseModule):
    """BatchNorm, dropout and a linear layer on concatenated tokens.

    Segments and class token are normalised together: the statistics are those
    of all rows of the batch that are not empty.
    """

    def __init__(self, embed_dims: int, num_stages: int, drop_rate: float,
                 norm_cfg: dict) -> None:
        super().__init__()
        self.norm = build_norm_layer(norm_cfg, num_stages * embed_dims)[1]
        self.drop = nn.Dropout(drop_rate)
        self.proj = nn.Linear(num_stages * embed_dims, embed_dims)

    def forward(self,
                cls_tokens: Sequence[Tensor],
                tokens: Sequence[Tensor],
                empty: Tensor | None = None) -> Tensor:
        """Class tokens (B, C) and tokens (B, N, C) per stage to (B, 1 + N, C).

        Tokens are those of the ancestors of each finest segment. The class
        token comes first; segments that are ``empty``, (B, N) bool, give 0.
        """
        x = torch.cat(
            [torch.cat(cls_tokens, dim=-1)[:, None],
             torch.cat(tokens, dim=-1)], dim=1)
        if empty is None:
            return self._fuse_rows(x.flatten(0, 1)).view(*x.shape[:2], -1)
        valid = ~F.pad(empty, (1, 0))
        # Only valid rows are computed where their number is known without
        # waiting for a GPU, or where the norm layer cannot be masked.
        if reads_are_free(x) or (self.norm.training
                                 and not has_local_statistics(self.norm)):
            fused = self._fuse_rows(x[valid])
            out = fused.new_zeros(*x.shape[:2], fused.size(-1))
            out[valid] = fused
            return out
        if self.norm.training:
            with torch.autocast(x.device.type, enabled=False):
                x = weighted_batch_norm(self.norm, wide(x), valid)
        else:
            x = self.norm(x.flatten(0, 1)[..., None, None]).view_as(x)
        return self.proj(self.drop(x)).masked_fill(~valid[..., None], 0)

    def _fuse_rows(self, rows: Tensor) -> Tensor:
        # As 1 x 1 images, so that any 2-D norm layer can be used.
        rows = normalise_rows(self.norm, rows[..., None, None])
        return self.proj(self.drop(rows[..., 0, 0]))
