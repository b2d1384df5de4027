"""RGBS: an image and its map of small segments in one tensor.

The fourth channel S holds integer labels exactly; negative = no segment.
"""

import torch
from torch import Tensor

from mmhierseg.ops.checks import reads_are_free

_CHANNEL = 'channel 3 of `inputs` (the segment map) must hold'


def check_rgbs(inputs: Tensor) -> None:
    """Check that a backbone's input is float (B, 3 or 4, H, W)."""
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        got = getattr(inputs, 'dtype', type(inputs).__name__)
        raise TypeError('`inputs` must be a floating-point tensor, '
                        f'normalised RGB or RGBS, got {got}')
    if inputs.dim() != 4 or inputs.size(1) not in (3, 4):
        raise ValueError(
            '`inputs` must have shape (B, 3, H, W), normalised RGB, or '
            '(B, 4, H, W), RGB and a segment map as the data preprocessors '
            f'of mmhierseg make it, got {tuple(inputs.shape)}')


def split_rgbs(inputs: Tensor,
               read: bool = True) -> tuple[Tensor, Tensor, int | None]:
    """Split an RGBS tensor into image, labels and the largest label.

    The labels are (B, H, W) int64, -1 = none. Checking them and reading the
    largest (-1 if there is none) is one synchronisation with a GPU. Without
    ``read`` it is avoided: bad labels stop the device, the largest is None.
    """
    image, segments = inputs[:, :3], inputs[:, 3]
    if not (read or reads_are_free(inputs)):
        torch._assert_async((segments == segments.floor()).all(),
                            f'{_CHANNEL} integers')
        return image, segments.clamp(min=-1).long(), None
    with torch.no_grad():
        # NaN propagates through the maximum.
        stats = torch.stack([
            segments.amax().double(),
            (segments != segments.floor()).any().double()
        ])
    largest, fractional = stats.tolist()
    if largest != largest:
        raise ValueError(f'{_CHANNEL} integer labels, got NaN')
    # Above 2 / eps neighbouring integers are no longer distinct.
    limit = 2 / torch.finfo(inputs.dtype).eps
    if largest >= limit:
        raise ValueError(
            f'{_CHANNEL} labels below {limit:.0f}, which is what '
            f'{inputs.dtype} holds exactly, got {largest:.0f}: number the '
            'segments of each image from 0, and keep the map in float32')
    if fractional:
        raise ValueError(f'{_CHANNEL} integer labels, got fractions: resize '
                         'label maps with nearest-neighbour interpolation')
    # The maximum may be -inf, which is no integer.
    return image, segments.clamp(min=-1).long(), int(max(largest, -1))
