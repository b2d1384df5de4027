"""Conversion from sRGB to CIE L*a*b* on tensors.

Constants are those of the sRGB standard (IEC 61966-2-1) with the white point
D65 of the 2 degree observer, as in ``skimage.color.rgb2lab``.
"""

import torch
from torch import Tensor

#: CIE XYZ (rows) of linear sRGB (columns).
_XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423),
                 (0.212671, 0.715160, 0.072169),
                 (0.019334, 0.119193, 0.950227))
_WHITE_D65 = (0.95047, 1.0, 1.08883)
#: Below (6 / 29)**3 the cube root is replaced by its tangent.
_LINEAR_BELOW = 0.008856


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
    rgb = images.float() / 255
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055)**2.4,
                         rgb / 12.92)
    # Written out: a matrix product may run in reduced precision on a GPU.
    red, green, blue = linear.unbind(1)
    x, y, z = (
        _cube_root((row[0] * red + row[1] * green + row[2] * blue) / white)
        for row, white in zip(_XYZ_FROM_RGB, _WHITE_D65))
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=1)


def _cube_root(ratio: Tensor) -> Tensor:
    return torch.where(ratio > _LINEAR_BELOW, ratio.clamp(min=0)**(1 / 3),
                       7.787 * ratio + 16 / 116)
