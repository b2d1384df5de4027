"""RGBS: an image and its map of small segments in one tensor.

The fourth channel S holds integer labels exactly; negative = no segment.
"""

import torch
from torch import Tensor

from mmhierseg.ops.checks import reads_are_free


def check_rgbs(inputs: Tensor) -> None:
    """Check that a tensor is an image, or an image and a segment map.

    Args:
        inputs (Tensor): Input of a backbone.

    Raises:
        TypeError: If it is not a floating-point tensor.
        ValueError: If it is not (B, 3, H, W) or (B, 4, H, W), or is empty.
    """
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        got = getattr(inputs, 'dtype', type(inputs).__name__)
        raise TypeError('`inputs` must be a floating-point tensor, '
                        f'normalised RGB or RGBS, got {got}')
    if inputs.dim() != 4 or inputs.size(1) not in (3, 4):
        raise ValueError(
            '`inputs` must have shape (B, 3, H, W), normalised RGB, or '
            '(B, 4, H, W), RGB and a segment map as the data preprocessors '
            f'of mmhierseg make it, got {tuple(inputs.shape)}')
    if inputs.numel() == 0:
        raise ValueError('`inputs` must hold at least one pixel, got '
                         f'{tuple(inputs.shape)}')


def split_rgbs(inputs: Tensor,
               read: bool = True) -> tuple[Tensor, Tensor, int | None]:
    """Split an RGBS tensor into image and segment map.

    The number of tokens follows from the largest label, which has to be read
    from a GPU; the checks of the labels share that one synchronisation.

    Args:
        inputs (Tensor): (B, 4, H, W) float.
        read (bool): Whether to read from a GPU. Otherwise bad labels there
            stop the device instead of raising these errors. Defaults to True.

    Returns:
        tuple[Tensor, Tensor, int | None]: Image (B, 3, H, W); labels
        (B, H, W) int64, -1 = none; largest label in the batch, -1 if there is
        none, None if it was not read.

    Raises:
        ValueError: If a label is NaN, no integer, or so large that it cannot
            be exact in the dtype of ``inputs``.
    """
    image, segments = inputs[:, :3], inputs[:, 3]
    if not (read or reads_are_free(inputs)):
        torch._assert_async(
            (segments == segments.floor()).all(),
            'channel 3 of `inputs` (the segment map) must hold integers')
        return image, segments.clamp(min=-1).long(), None
    with torch.no_grad():
        # NaN propagates through the maximum.
        stats = torch.stack([
            segments.amax().double(),
            (segments != segments.floor()).any().double()
        ])
    largest, fractional = stats.tolist()
    if largest != largest:
        raise ValueError('channel 3 of `inputs` (the segment map) must hold '
                         'integer labels, got NaN')
    # Above 2 / eps neighbouring integers are no longer distinct.
    limit = 2 / torch.finfo(inputs.dtype).eps
    if largest >= limit:
        raise ValueError(
            'channel 3 of `inputs` (the segment map) must hold labels below '
            f'{limit:.0f}, which is what {inputs.dtype} holds exactly, got '
            f'{largest:.0f}: number the segments of each image from 0, and '
            'keep the map in float32')
    if fractional:
        raise ValueError('channel 3 of `inputs` (the segment map) must hold '
                         'integer labels, got fractions: resize label maps '
                         'with nearest-neighbour interpolation')
    labels = segments.clamp(min=-1).long()
    # The maximum may be -inf, which is no integer.
    return image, labels, int(max(largest, -1))
