"""Conversion from sRGB to CIE L*a*b* on tensors.

Constants are those of the sRGB standard (IEC 61966-2-1) with the white point
D65 of the 2 degree observer, as in ``skimage.color.rgb2lab``.

Of uint8 images the result is the same to the last bit on every device, and in
the compiled twin: intensities come from a table, and the rest is made of
products, sums and quotients in a fixed order, which IEEE 754 rounds the same
everywhere. Powers, which it leaves to the library, are not among them.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from mmhierseg.compiled import for_each_image, use_compiled
from mmhierseg.compiled.color import rgb_to_lab as compiled_rgb_to_lab

#: CIE XYZ (rows) of linear sRGB (columns).
_XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423),
                 (0.212671, 0.715160, 0.072169),
                 (0.019334, 0.119193, 0.950227))
_WHITE_D65 = (0.95047, 1.0, 1.08883)
#: The same, with white at 1.
_RATIO_FROM_RGB = tuple(
    tuple(value / white for value in row)
    for row, white in zip(_XYZ_FROM_RGB, _WHITE_D65))
#: Below (6 / 29)**3 the cube root is replaced by its tangent, which has this
#: slope and this value at 0.
_LINEAR_BELOW, _SLOPE, _AT_ZERO = 0.008856, 7.787, 16 / 116
#: (p0 + p1 t + p2 t^2) / (q0 + q1 t + t^2) is the cube root of t to 0.5 % from
#: 0.0085 to 1.03; one step of Halley's method leaves 1e-7 of that.
_GUESS_ABOVE = (0.00398961, 0.4592704, 1.57033832)
_GUESS_BELOW = (0.03037281, 1.01099757)


def rgb_to_lab(images: Tensor) -> Tensor:
    """Convert sRGB to L*a*b*.

    Args:
        images (Tensor): (B, 3, H, W) uint8 or floating point, 0 to 255.

    Returns:
        Tensor: (B, 3, H, W) float32; L from 0 to 100, a and b from about
        -110 to 100.

    Example:
        >>> white = torch.full((1, 3, 1, 1), 255)
        >>> rgb_to_lab(white).flatten().round().abs()
        tensor([100.,   0.,   0.])
    """
    if images.dtype == torch.uint8 and use_compiled(images):
        return _rgb_to_lab_compiled(images)
    red, green, blue = _linear(images).unbind(1)
    # Written out: a matrix product may run in reduced precision on a GPU, and
    # sums up in an order of its own.
    x, y, z = (
        _cube_root(row[0] * red + row[1] * green + row[2] * blue)
        for row in _RATIO_FROM_RGB)
    return torch.stack((y * 116 - 16, (x - y) * 500, (y - z) * 200), dim=1)


def _rgb_to_lab_compiled(images: Tensor) -> Tensor:
    lab = torch.empty(images.shape, dtype=torch.float32)
    pixels, result = images.flatten(2).numpy(), lab.flatten(2).numpy()
    constants = _constants()
    for_each_image(
        lambda i: compiled_rgb_to_lab(pixels[i], *constants, result[i]),
        len(images))
    return lab


def _linear(images: Tensor) -> Tensor:
    """Linear intensities, 0 to 1, float32."""
    if images.dtype == torch.uint8:
        table = _level_table().to(images.device)
        return table.index_select(
            0, images.flatten().int()).view(images.shape)
    return _remove_gamma(images.float() / 255)


def _remove_gamma(rgb: Tensor) -> Tensor:
    return torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055)**2.4,
                       rgb / 12.92)


@cache
def _level_table() -> Tensor:
    """(256,) float32, linear intensity of each level."""
    return _remove_gamma(torch.arange(256, dtype=torch.float64) / 255).float()


@cache
def _constants() -> tuple:
    """What the compiled twin takes besides the image."""
    cubic = (*_GUESS_ABOVE, *_GUESS_BELOW, _LINEAR_BELOW, _SLOPE, _AT_ZERO)
    return (_level_table().numpy(), np.float32(_RATIO_FROM_RGB),
            np.float32(cubic))


def _cube_root(ratio: Tensor) -> Tensor:
    """Cube root, or its tangent near 0."""
    (p0, p1, p2), (q0, q1) = _GUESS_ABOVE, _GUESS_BELOW
    # In place where it can be: memory takes most of the time.
    root = (ratio * p2).add_(p1).mul_(ratio).add_(p0)
    root /= (ratio + q1).mul_(ratio).add_(q0)
    cube = (root * root).mul_(root)
    root *= (cube + 2 * ratio).div_((2 * cube).add_(ratio))
    return torch.where(ratio > _LINEAR_BELOW, root,
                       ratio * _SLOPE + _AT_ZERO)
