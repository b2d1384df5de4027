"""Linear interpolation weights along one axis.

``torch.nn.functional.interpolate`` is linear in its input. These are the few
weights per output position that it uses, so that an average of an upsampled
map can be taken without ever forming the map. Definitions are those of
``interpolate(..., align_corners=False, antialias=False)``.
"""

from typing import Tuple

import torch
from torch import Tensor

# Keys' cubic convolution parameter as ``interpolate`` has it.
CUBIC_A = -0.75


def interpolation_taps(in_size: int,
                       out_size: int,
                       mode: str,
                       device: torch.device = torch.device('cpu'),
                       dtype: torch.dtype = torch.float32
                       ) -> Tuple[Tensor, Tensor]:
    """Source positions and weights of every output position of one axis.

    Args:
        in_size (int): Length of the source, at least 1.
        out_size (int): Length of the result, at least 1.
        mode (str): 'bilinear' (2 taps) or 'bicubic' (4 taps).
        device (torch.device): Where to make the result.
        dtype (torch.dtype): Of the weights, float32 or float64.

    Returns:
        Tuple[Tensor, Tensor]: Positions (out_size, taps) int64 in
        [0, in_size - 1] and weights (out_size, taps) with unit row sums. Rows
        may name a position more than once (the border is repeated). Where
        the two sizes agree there is a single tap of weight 1.

    Raises:
        ValueError: If ``mode`` is neither of the two or a size is below 1.

    Example:
        >>> index, weight = interpolation_taps(2, 4, 'bilinear')
        >>> weight
        tensor([[1.0000, 0.0000],
                [0.7500, 0.2500],
                [0.2500, 0.7500],
                [0.7500, 0.2500]])
    """
    if in_size < 1 or out_size < 1:
        raise ValueError('`in_size` and `out_size` must be at least 1, got '
                         f'{in_size} and {out_size}')
    if mode not in ('bilinear', 'bicubic'):
        raise ValueError(
            f"`mode` must be 'bilinear' or 'bicubic', got {mode!r}")
    out = torch.arange(out_size, device=device, dtype=dtype)
    if in_size == out_size:
        return out.long()[:, None], torch.ones_like(out)[:, None]
    source = (out + 0.5) * (in_size / out_size) - 0.5
    if mode == 'bilinear':
        # ``interpolate`` clamps the source of the linear kernel at zero.
        source = source.clamp(min=0)
    left = source.floor()
    t = source - left
    if mode == 'bilinear':
        weight = torch.stack([1 - t, t], dim=1)
        offsets = torch.arange(2, device=device)
    else:
        weight = torch.stack(
            [_far(1 + t), _near(t),
             _near(1 - t), _far(2 - t)], dim=1)
        offsets = torch.arange(-1, 3, device=device)
    index = left.long()[:, None] + offsets
    return index.clamp(0, in_size - 1), weight


def _near(x: Tensor) -> Tensor:
    """Cubic kernel for distances in [0, 1]."""
    return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1


def _far(x: Tensor) -> Tensor:
    """Cubic kernel for distances in [1, 2]."""
    return ((CUBIC_A * x - 5 * CUBIC_A) * x + 8 * CUBIC_A) * x - 4 * CUBIC_A
