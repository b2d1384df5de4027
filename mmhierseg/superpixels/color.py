"""Conversion from sRGB to CIE L*a*b* on tensors.

Constants are those of the sRGB standard (IEC 61966-2-1) with the white point
D65 of the 2 degree observer, as in ``skimage.color.rgb2lab``.

Of uint8 images the result is the same to the last bit on every device, and in
the compiled twin: intensities come from a table, and the rest is made of
products, sums and quotients in a fixed order, which IEEE 754 rounds the same
everywhere. Powers, which it leaves to the library, are not among them.
"""

from functools import cache
from typing import Tuple

import numpy as np
import torch
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled
from mmhierseg.superpixels.color_numba import rgb_to_lab as compiled_rgb_to_lab

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
#: (p0 + p1 t + p2 t^2) / (q0 + q1 t + t^2) is the cube root of t to 0.5 % from
#: 0.0085 to 1.03; one step of Halley's method leaves 1e-7 of that.
_GUESS_ABOVE = (0.00398961, 0.4592704, 1.57033832)
_GUESS_BELOW = (0.03037281, 1.01099757)
#: Pixels that are taken at once on the CPU, so that they stay in the cache.
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
    if images.dtype == torch.uint8 and use_compiled(images):
        return _rgb_to_lab_compiled(images)
    lab = torch.empty(
        images.shape, dtype=torch.float32, device=images.device)
    pixels, result = images.flatten(2), lab.flatten(2)
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
    # Written out: a matrix product may run in reduced precision on a GPU, and
    # sums up in an order of its own.
    red, green, blue = _linear(pixels).split(1, dim=1)
    ratios = (ratio[0] * red).add_(ratio[1] * green).add_(ratio[2] * blue)
    root = _cube_root(ratios)
    torch.mul(root[:, 1], 116, out=lab[:, 0]).sub_(16)
    torch.sub(root[:, :2], root[:, 1:], out=lab[:, 1:]).mul_(scale)


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
        table = _level_table(images.device)
        return table.index_select(
            0, images.flatten().int()).view(images.shape)
    return _remove_gamma(images.float() / 255)


def _remove_gamma(rgb: Tensor) -> Tensor:
    return torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055)**2.4,
                       rgb / 12.92)


@cache
def _level_table(device: torch.device) -> Tensor:
    """(256,) float32, linear intensity of each level."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    return _remove_gamma(levels).float().to(device)


@cache
def _factors(device: torch.device) -> Tuple[Tensor, Tensor]:
    """What pixels are multiplied by, all three values of each at a time.

    Returns:
        Tuple[Tensor, Tensor]: (3, 3, 1), for each linear colour its share of
        each ratio to white; (2, 1), for a and b.
    """
    ratio = torch.tensor(_RATIO_FROM_RGB).T[..., None]
    return ratio.to(device), torch.tensor([[500.], [200.]]).to(device)


@cache
def _constants() -> tuple:
    """What the compiled twin takes besides the image."""
    cubic = (*_GUESS_ABOVE, *_GUESS_BELOW, _LINEAR_BELOW, _SLOPE)
    return (_level_table(torch.device('cpu')).numpy(),
            np.float32(_RATIO_FROM_RGB), np.float32(cubic))


def _cube_root(ratio: Tensor) -> Tensor:
    """Cube root, or its tangent near 0."""
    (p0, p1, p2), (q0, q1) = _GUESS_ABOVE, _GUESS_BELOW
    # In place where it can be, and without a choice for each pixel, both of
    # which take longer than the arithmetic.
    above = ratio.clamp(min=_LINEAR_BELOW)
    root = (above * p2).add_(p1).mul_(above).add_(p0)
    root /= (above + q1).mul_(above).add_(q0)
    cube = (root * root).mul_(root)
    root *= (cube + 2 * above).div_(cube.mul_(2).add_(above))
    return root.add_(
        ratio.clamp(max=_LINEAR_BELOW).sub_(_LINEAR_BELOW).mul_(_SLOPE))
