"""Conversion from sRGB to CIE L*a*b* on tensors.

Constants are those of the sRGB standard (IEC 61966-2-1) with the white point
D65 of the 2 degree observer, as in ``skimage.color.rgb2lab``.

The result is bitwise identical on every device and in the numba kernel:
intensities come from a table, and the rest consists of products, sums and
quotients in a fixed order, which IEEE 754 rounds the same everywhere. Powers,
which depend on the maths library, are avoided.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, njit, use_compiled

#: CIE XYZ (rows) of linear sRGB (columns), relative to the white point D65.
_RATIO_FROM_RGB = np.array([[0.412453, 0.357580, 0.180423],
                            [0.212671, 0.715160, 0.072169],
                            [0.019334, 0.119193, 0.950227]
                            ]) / [[0.95047], [1.0], [1.08883]]
#: Below (6 / 29)**3 the cube root is replaced by its tangent.
_LINEAR_BELOW, _SLOPE = 0.008856, 7.787
#: (p0 + p1 t + p2 t^2) / (q0 + q1 t + t^2) approximates the cube root of t to
#: 0.5 % from 0.0085 to 1.03; one step of Halley's method refines it to 1e-7.
_GUESS_ABOVE = (0.00398961, 0.4592704, 1.57033832)
_GUESS_BELOW = (0.03037281, 1.01099757)
#: Pixels that PyTorch and the kernel process at once on the CPU, so that they
#: stay in the cache.
_TILE, _KERNEL_TILE = 2**14, 2**10


def rgb_to_lab(images: Tensor) -> Tensor:
    """Convert sRGB, (B, 3, H, W) uint8, to L*a*b*, float32, L in 0..100."""
    lab = torch.empty(images.shape, dtype=torch.float32, device=images.device)
    pixels, result = images.contiguous().flatten(2), lab.flatten(2)
    if use_compiled(images):
        source, target, constants = (
            pixels.numpy(), result.numpy(), _kernel_constants())
        for_each_image(
            lambda i: _rgb_to_lab_kernel(source[i], *constants, target[i]),
            len(images))
        return lab
    tile = _TILE if images.device.type == 'cpu' else pixels.size(2)
    for source, target in zip(
            pixels.split(tile, dim=2), result.split(tile, dim=2)):
        _convert(source, target)
    return lab


def _convert(pixels: Tensor, lab: Tensor) -> None:
    """Convert (B, 3, P) sRGB to L*a*b*, in place where possible."""
    table, ratio, scale = _constants(pixels.device)
    linear = table.index_select(0, pixels.flatten().int()).view(pixels.shape)
    # Not a matrix product, which may run in reduced precision on a GPU and
    # sums in an order of its own.
    red, green, blue = linear.split(1, dim=1)
    ratios = (ratio[0] * red).add_(ratio[1] * green).add_(ratio[2] * blue)
    (p0, p1, p2), (q0, q1) = _GUESS_ABOVE, _GUESS_BELOW
    # `torch.where` would cost more than the arithmetic.
    above = ratios.clamp(min=_LINEAR_BELOW)
    root = (above * p2).add_(p1).mul_(above).add_(p0)
    root /= (above + q1).mul_(above).add_(q0)
    cube = (root * root).mul_(root)
    root *= (cube + 2 * above).div_(cube.mul_(2).add_(above))
    root += ratios.clamp(max=_LINEAR_BELOW).sub_(_LINEAR_BELOW).mul_(_SLOPE)
    torch.mul(root[:, 1], 116, out=lab[:, 0]).sub_(16)
    torch.sub(root[:, :2], root[:, 1:], out=lab[:, 1:]).mul_(scale)


@cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Linear intensity of each level, ratios to white, scale of a and b."""
    rgb = torch.arange(256, dtype=torch.float64) / 255
    table = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055)**2.4,
                        rgb / 12.92)
    ratio = torch.tensor(_RATIO_FROM_RGB.T[..., None]).float()
    scale = torch.tensor([[500.], [200.]])
    return table.float().to(device), ratio.to(device), scale.to(device)


@cache
def _kernel_constants() -> tuple[np.ndarray, ...]:
    cubic = (*_GUESS_ABOVE, *_GUESS_BELOW, _LINEAR_BELOW, _SLOPE)
    return (_constants(torch.device('cpu'))[0].numpy(),
            np.float32(_RATIO_FROM_RGB), np.float32(cubic))


@njit(error_model='numpy')
def _rgb_to_lab_kernel(pixels, linear, matrix, cubic, lab):  # pragma: no cover
    """Convert (3, P) uint8; no ``fastmath``, which would fuse operations."""
    # Literals would be float64, and so would the products.
    two, sixteen, of_l = np.float32(2), np.float32(16), np.float32(116)
    of_a, of_b = np.float32(500), np.float32(200)
    p0, p1, p2, q0, q1, least, slope = (
        cubic[0], cubic[1], cubic[2], cubic[3], cubic[4], cubic[5], cubic[6])
    rgb = np.empty((3, _KERNEL_TILE), np.float32)
    for first in range(0, pixels.shape[1], _KERNEL_TILE):
        number = min(_KERNEL_TILE, pixels.shape[1] - first)
        for c in range(3):
            for i in range(number):
                rgb[c, i] = linear[pixels[c, first + i]]
        for c in range(3):
            red, green, blue = matrix[c]
            for i in range(number):
                ratio = red * rgb[0, i] + green * rgb[1, i] + blue * rgb[2, i]
                above = max(ratio, least)
                root = (((p2 * above + p1) * above + p0) /
                        ((above + q1) * above + q0))
                cube = root * root * root
                root *= (cube + two * above) / (two * cube + above)
                lab[c, first + i] = root + (min(ratio, least) - least) * slope
        for i in range(first, first + number):
            x, y, z = lab[0, i], lab[1, i], lab[2, i]
            lab[0, i] = y * of_l - sixteen
            lab[1, i] = (x - y) * of_a
            lab[2, i] = (y - z) * of_b
