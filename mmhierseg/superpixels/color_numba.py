"""Numba kernel of :func:`mmhierseg.superpixels.color.rgb_to_lab`.

Bitwise identical: the same operations in the same order, none of them fused,
hence no ``fastmath``.
"""

import numpy as np

from mmhierseg.ops._numba.switch import njit

#: Pixels that are processed at once, so that they stay in the cache.
_TILE = 1024


@njit(error_model='numpy')
def rgb_to_lab(pixels, linear, matrix, cubic, lab):  # pragma: no cover
    """Convert the pixels of an image, (3, P) uint8, to ``lab``, float32.

    Takes the linear intensity of each level, (256,), the ratios to white of
    linear sRGB, (3, 3), and the constants of the cube root, (7,), as float32.
    """
    # Literals would be float64, and so would the products.
    two, sixteen, of_l = np.float32(2), np.float32(16), np.float32(116)
    of_a, of_b = np.float32(500), np.float32(200)
    p0, p1, p2, q0, q1, least, slope = (
        cubic[0], cubic[1], cubic[2], cubic[3], cubic[4], cubic[5], cubic[6])
    rgb = np.empty((3, _TILE), np.float32)
    for first in range(0, pixels.shape[1], _TILE):
        number = min(_TILE, pixels.shape[1] - first)
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
