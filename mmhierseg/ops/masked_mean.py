"""Mean over the tokens of an image that are not empty."""

from typing import Optional

import torch
from torch import Tensor


def masked_mean(tokens: Tensor, empty: Optional[Tensor] = None) -> Tensor:
    """Mean over tokens.

    Args:
        tokens (Tensor): (B, N, C) float. Half precision is summed in float32.
        empty (Tensor, optional): (B, N) bool, tokens to leave out. Defaults
            to None: there are none.

    Returns:
        Tensor: (B, C), of the same precision; zero for an image whose tokens
        are all empty.

    Example:
        >>> tokens = torch.tensor([[[1.], [3.], [8.]]])
        >>> masked_mean(tokens, torch.tensor([[False, False, True]]))
        tensor([[2.]])
    """
    if empty is None:
        return tokens.mean(dim=1)
    # A sum of a thousand tokens can be above float16's largest number, and
    # bfloat16 does not count beyond 256.
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    kept = tokens.masked_fill(empty[..., None], 0)
    count = (~empty).sum(dim=1, keepdim=True).clamp(min=1)
    return (kept.sum(dim=1, dtype=dtype) / count).to(tokens.dtype)
