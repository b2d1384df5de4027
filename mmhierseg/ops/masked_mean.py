"""Mean over the tokens of an image that are not empty."""

from typing import Optional

from torch import Tensor


def masked_mean(tokens: Tensor, empty: Optional[Tensor] = None) -> Tensor:
    """Mean over tokens.

    Args:
        tokens (Tensor): (B, N, C) float.
        empty (Tensor, optional): (B, N) bool, tokens to leave out. Defaults
            to None: there are none.

    Returns:
        Tensor: (B, C); zero for an image whose tokens are all empty.

    Example:
        >>> import torch
        >>> tokens = torch.tensor([[[1.], [3.], [8.]]])
        >>> masked_mean(tokens, torch.tensor([[False, False, True]]))
        tensor([[2.]])
    """
    if empty is None:
        return tokens.mean(dim=1)
    weight = (~empty).to(tokens.dtype)[..., None]
    return (tokens * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
