"""Conversion from sRGB to CIE L*a*b* on tensors.

Constants are those of the sRGB standard (IEC 61966-2-1) with the white point
D65 of the 2 degree observer, as in ``skimage.color.rgb2lab``.

For uint8 images the result is bitwise identical on every device and in the
numba kernel: intensities come from a table, and the rest consists of products,
sums and quotients in a fixed order, which IEEE 754 rounds the same everywhere.
Powers, which depend on the maths library, are avoided.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled

from . import color_numba

#: CIE XYZ (rows) of linear sRGB (columns).
_XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423),
                 (0.212671, 0.715160, 0.072169),
                 (0.019334, 0.119193, 0.950227))
_WHITE_D65 = (0.95047, 1.0, 1.08883)
#: The same, with white at 1.
_RATIO_FROM_RGB = tuple(
    tuple(value / white for value in row)
    for row, white in zip(_XYZ_FROM_RGB, _WHITE_D65))
#: Below (6 / 29)**3 the cube root is replaced by its tangent.
_LINEAR_BELOW, _SLOPE = 0.008856, 7.787
#: (p0 + p1 t + p2 t^2) / (q0 + q1 t + t^2) approximates the cube root of t to
#: 0.5 % from 0.0085 to 1.03; one step of Halley's method refines it to 1e-7.
_GUESS_ABOVE = (0.00398961, 0.4592704, 1.57033832)
_GUESS_BELOW = (0.03037281, 1.01099757)
#: Pixels that the CPU processes at once, so that they stay in the cache.
_PIXELS_PER_TILE = 2**14


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
    lab = torch.empty(
        images.shape, dtype=torch.float32, device=images.device)
    pixels, result = images.flatten(2), lab.flatten(2)
    if images.dtype == torch.uint8 and use_compiled(images):
        source, target, constants = (
            pixels.numpy(), result.numpy(), _kernel_constants())
        for_each_image(
            lambda i: color_numba.rgb_to_lab(source[i], *constants, target[i]),
            len(images))
        return lab
    tile = _PIXELS_PER_TILE
    if images.device.type != 'cpu':
        tile = max(pixels.size(2), 1)
    for source, target in zip(
            pixels.split(tile, dim=2), result.split(tile, dim=2)):
        _convert(source, target)
    return lab


def _convert(pixels: Tensor, lab: Tensor) -> None:
    """Convert (B, 3, P) sRGB to L*a*b*."""
    ratio, scale = _factors(pixels.device)
    if pixels.dtype == torch.uint8:
        linear = _level_table(pixels.device).index_select(
            0, pixels.flatten().int()).view(pixels.shape)
    else:
        linear = _remove_gamma(pixels.float() / 255)
    # Not a matrix product, which may run in reduced precision on a GPU and
    # sums in an order of its own.
    red, green, blue = linear.split(1, dim=1)
    ratios = (ratio[0] * red).add_(ratio[1] * green).add_(ratio[2] * blue)
    root = _cube_root(ratios)
    torch.mul(root[:, 1], 116, out=lab[:, 0]).sub_(16)
    torch.sub(root[:, :2], root[:, 1:], out=lab[:, 1:]).mul_(scale)


def _remove_gamma(rgb: Tensor) -> Tensor:
    return torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055)**2.4,
                       rgb / 12.92)


@cache
def _level_table(device: torch.device) -> Tensor:
    """(256,) float32, linear intensity of each level."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    return _remove_gamma(levels).float().to(device)


@cache
def _factors(device: torch.device) -> tuple[Tensor, Tensor]:
    """(3, 3, 1) ratios to white per linear colour, (2, 1) scale of a and b."""
    ratio = torch.tensor(_RATIO_FROM_RGB).T[..., None]
    return ratio.to(device), torch.tensor([[500.], [200.]]).to(device)


@cache
def _kernel_constants() -> tuple[np.ndarray, ...]:
    cubic = (*_GUESS_ABOVE, *_GUESS_BELOW, _LINEAR_BELOW, _SLOPE)
    return (_level_table(torch.device('cpu')).numpy(),
            np.float32(_RATIO_FROM_RGB), np.float32(cubic))


def _cube_root(ratio: Tensor) -> Tensor:
    """Cube root, or its tangent near 0."""
    (p0, p1, p2), (q0, q1) = _GUESS_ABOVE, _GUESS_BELOW
    # In place where possible and without `torch.where`: both cost more than
    # the arithmetic.
    above = ratio.clamp(min=_LINEAR_BELOW)
    root = (above * p2).add_(p1).mul_(above).add_(p0)
    root /= (above + q1).mul_(above).add_(q0)
    cube = (root * root).mul_(root)
    root *= (cube + 2 * above).div_(cube.mul_(2).add_(above))
    return root.add_(
        ratio.clamp(max=_LINEAR_BELOW).sub_(_LINEAR_BELOW).mul_(_SLOPE))
