"""Batch normalisation of tokens, some of which may be padding."""

import torch
import torch.nn.functional as F
from mmengine.dist import get_world_size
from torch import Tensor, nn
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


def masked_batch_norm(norm: _BatchNorm, x: Tensor, valid: Tensor) -> Tensor:
    """Normalise the ``valid``, (B, T) bool, rows of (B, T, C) in training.

    Computes ``norm(x[valid])``, running statistics included, without a tensor
    whose size depends on values. Other rows of the result are finite and
    meaningless; for a single row see :func:`normalise_rows`.
    """
    rows = x.masked_fill(~valid[..., None], 0)
    number = valid.sum()
    mean = rows.sum(dim=(0, 1)) / number
    centred = (x - mean).masked_fill(~valid[..., None], 0)
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
