"""Batch normalisation of the channels of tokens."""

from typing import Optional

import torch.nn.functional as F
from mmengine.dist import get_world_size
from torch import Tensor, nn


class TokenBatchNorm(nn.Module):
    """Normalises the channels of tokens over batch and sequence.

    A wrapper, not a subclass: what turns batch normalisation into
    synchronised one replaces ``norm``, which sees (tokens, channels) only.

    One token alone has no variance; it is normalised by the running
    statistics, which stay as they are.

    Args:
        num_channels (int): Width C.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(num_channels)

    def forward(self,
                tokens: Tensor,
                padding: Optional[Tensor] = None) -> Tensor:
        """Normalise.

        Args:
            tokens (Tensor): (..., C) float.
            padding (Tensor, optional): (...) bool, tokens that take no part.
                Defaults to None: all do.

        Returns:
            Tensor: (..., C); zero for tokens that take no part.
        """
        if padding is None:
            return self._normalise(tokens.flatten(0, -2)).view_as(tokens)
        valid = ~padding
        rows = self._normalise(tokens[valid])
        return rows.new_zeros(tokens.shape).index_put((valid, ), rows)

    def _normalise(self, rows: Tensor) -> Tensor:
        """(n, C) to (n, C)."""
        norm = self.norm
        alone = not isinstance(norm, nn.SyncBatchNorm) or get_world_size() == 1
        if norm.training and alone and len(rows) < 2:
            return F.batch_norm(
                rows,
                norm.running_mean,
                norm.running_var,
                norm.weight,
                norm.bias,
                eps=norm.eps)
        return norm(rows)
