"""Block fusion: one feature per finest segment from all stages' tokens."""

from typing import List, Optional, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.dist import get_world_size
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmhierseg.ops import take_tokens
from mmhierseg.ops.checks import reads_are_free


class BlockFusion(BaseModule):
    """BatchNorm, dropout and a linear layer on concatenated tokens.

    Segments and class token are normalised together: their statistics are
    over all rows of the batch that are not empty.

    Args:
        embed_dims (int): Width C of a token.
        num_stages (int): Number of tokens to fuse.
        drop_rate (float): Dropout. Defaults to 0.2.
        norm_cfg (dict, optional): Norm layer. Defaults to None:
            dict(type='BN').
    """

    def __init__(self,
                 embed_dims: int,
                 num_stages: int = 4,
                 drop_rate: float = 0.2,
                 norm_cfg: Optional[dict] = None) -> None:
        super().__init__()
        norm_cfg = norm_cfg or dict(type='BN')
        self.norm = build_norm_layer(norm_cfg, num_stages * embed_dims)[1]
        self.drop = nn.Dropout(drop_rate)
        self.proj = nn.Linear(num_stages * embed_dims, embed_dims)

    def forward(self,
                cls_tokens: Sequence[Tensor],
                tokens: Sequence[Tensor],
                empty: Optional[Tensor] = None) -> Tensor:
        """Fuse.

        Args:
            cls_tokens (Sequence[Tensor]): (B, C) per stage.
            tokens (Sequence[Tensor]): (B, N, C) per stage, those of the
                ancestors of each finest segment.
            empty (Tensor, optional): (B, N) bool, segments to leave out.
                Defaults to None.

        Returns:
            Tensor: (B, 1 + N, C), the class token first; zero for empty
            segments.
        """
        x = torch.cat(
            [torch.cat(cls_tokens, dim=-1)[:, None],
             torch.cat(tokens, dim=-1)], dim=1)
        if empty is None:
            return self._fuse(x.flatten(0, 1)).view(*x.shape[:2], -1)
        taking_part = ~F.pad(empty, (1, 0))
        if self._takes_rows(x):
            fused = self._fuse(x[taking_part])
            out = fused.new_zeros(*x.shape[:2], fused.size(-1))
            out[taking_part] = fused
            return out
        fused = self.proj(self.drop(self._normalise(x, taking_part)))
        return fused.masked_fill(~taking_part[..., None], 0)

    def _takes_rows(self, x: Tensor) -> bool:
        """Whether rows that take part are taken out.

        Nothing is normalised in vain then, but how many there are has to be
        waited for on a GPU.
        """
        return reads_are_free(x) or (self.norm.training
                                     and not self._counts_alone())

    def _counts_alone(self) -> bool:
        """Whether statistics are of this process's rows only."""
        return isinstance(self.norm, _BatchNorm) and (
            not isinstance(self.norm, nn.SyncBatchNorm)
            or get_world_size() == 1)

    def _fuse(self, rows: Tensor) -> Tensor:
        # As 1 x 1 images, so that any 2-D norm layer takes them.
        rows = rows[..., None, None]
        if self.norm.training and len(rows) == 1 and self._counts_alone():
            # A single row, of one image without any segment, has no variance.
            rows = F.batch_norm(rows, self.norm.running_mean,
                                self.norm.running_var, self.norm.weight,
                                self.norm.bias, False, 0., self.norm.eps)
        else:
            rows = self.norm(rows)
        return self.proj(self.drop(rows[..., 0, 0]))

    def _normalise(self, x: Tensor, taking_part: Tensor) -> Tensor:
        """(B, T, 4 C) of all rows, by statistics of (B, T) some of them."""
        norm = self.norm
        if not norm.training:
            rows = norm(x.flatten(0, 1)[..., None, None])
            return rows.view_as(x)
        with torch.autocast(x.device.type, enabled=False):
            return masked_batch_norm(norm, x.float(), taking_part)


def masked_batch_norm(norm: _BatchNorm, x: Tensor,
                      taking_part: Tensor) -> Tensor:
    """Batch normalisation in training, of some of the rows.

    What ``norm(x[taking_part])`` gives, and does to the running statistics,
    without a tensor whose size depends on values.

    Args:
        norm (_BatchNorm): The layer.
        x (Tensor): (B, T, C) float32.
        taking_part (Tensor): (B, T) bool. A single row has no variance: it
            is normalised by the running statistics, which stay as they are.

    Returns:
        Tensor: (B, T, C); of rows that take no part whatever is finite.
    """
    rows = x.masked_fill(~taking_part[..., None], 0)
    number = taking_part.sum()
    mean = rows.sum(dim=(0, 1)) / number
    centred = (x - mean).masked_fill(~taking_part[..., None], 0)
    var = centred.square().sum(dim=(0, 1)) / number
    if norm.track_running_stats:
        several = number > 1
        unbiased = var * number / (number - 1).clamp(min=1)
        centred = torch.where(several, centred, x - norm.running_mean)
        var = torch.where(several, var, norm.running_var)
        with torch.no_grad():
            norm.num_batches_tracked.add_(several)
            momentum = norm.momentum
            if momentum is None:
                momentum = norm.num_batches_tracked.clamp(min=1).reciprocal()
            for running, value in ((norm.running_mean, mean),
                                   (norm.running_var, unbiased)):
                running.add_(momentum * several * (value - running))
    scale = (var + norm.eps).rsqrt()
    if norm.affine:
        return centred * (scale * norm.weight) + norm.bias
    return centred * scale


def follow_parents(tokens: Sequence[Tensor],
                   parents: Sequence[Tensor]) -> List[Tensor]:
    """Tokens of the ancestors of each finest segment at every level.

    Args:
        tokens (Sequence[Tensor]): Per level, (B, N_l, C).
        parents (Sequence[Tensor]): Per step up, (B, N_l) int64 in
            [0, N_{l+1} - 1]; as many as levels above the first, at least.

    Returns:
        List[Tensor]: Per level, (B, N_0, C).
    """
    ancestors = [tokens[0]]
    index = None
    for level_tokens, parent in zip(tokens[1:], parents):
        index = parent if index is None else parent.gather(1, index)
        ancestors.append(take_tokens(level_tokens, index))
    return ancestors
