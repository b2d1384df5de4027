"""Argument checks that the operators share."""

import torch
from torch import Tensor


def reads_are_free(tensor: Tensor) -> bool:
    """Whether the host may read values: on the CPU, not in a traced graph."""
    return (tensor.device.type == 'cpu'
            and not torch.compiler.is_compiling())


def check_labels(labels: Tensor, num_segments: int) -> None:
    """Check a label map and the number of its segments.

    Values are looked at only where that is free (:func:`reads_are_free`).

    Args:
        labels (Tensor): To be (B, H, W) int64 with values below N.
        num_segments (int): N, to be at least 1.

    Raises:
        TypeError: If ``labels`` is not int64.
        ValueError: If its shape is another, N is below 1, or a label is N or
            above: it would count for another image of the batch.
    """
    if labels.dtype != torch.int64:
        raise TypeError(f'`labels` must be int64, got {labels.dtype}')
    if labels.dim() != 3:
        raise ValueError('`labels` must have shape (B, H, W), got '
                         f'{tuple(labels.shape)}')
    if num_segments < 1:
        raise ValueError(
            f'`num_segments` must be at least 1, got {num_segments}')
    if reads_are_free(labels) and labels.numel():
        largest = int(labels.max())
        if largest >= num_segments:
            raise ValueError('`labels` must be below the number of segments '
                             f'({num_segments}), got {largest}')


def check_tokens(name: str, tokens: Tensor, empty: Tensor | None,
                 empty_name: str = 'empty') -> None:
    """Check the shape (B, N, C) of tokens and their (B, N) bool mask.

    Raises:
        TypeError: If ``empty`` is not bool.
        ValueError: If a shape is another, or N is 0.
    """
    if tokens.dim() != 3 or tokens.size(1) < 1:
        raise ValueError(f'`{name}` must have shape (B, N, C) with N at least '
                         f'1, got {tuple(tokens.shape)}')
    if empty is None:
        return
    if empty.dtype != torch.bool:
        raise TypeError(f'`{empty_name}` must be bool, got {empty.dtype}')
    if empty.shape != tokens.shape[:2]:
        raise ValueError(
            f'`{empty_name}` must have shape {tuple(tokens.shape[:2])}, got '
            f'{tuple(empty.shape)}')
