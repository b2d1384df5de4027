"""Colours for numbered classes that have none of their own."""

import colorsys

import numpy as np

__all__ = ['distinct_colors']

_BACKGROUND = (38, 38, 43)
_GOLDEN_RATIO = 0.618034


def distinct_colors(count: int) -> np.ndarray:
    """Colours that are far apart for neighbouring numbers.

    Args:
        count (int): How many, at least 1.

    Returns:
        np.ndarray: (count, 3) uint8, RGB; the first is dark, for a
        background.

    Example:
        >>> distinct_colors(2)
        array([[ 38,  38,  43],
               [ 97, 143, 255]], dtype=uint8)
    """
    colors = [_BACKGROUND]
    for i in range(1, count):
        hue = i * _GOLDEN_RATIO % 1
        value = (1., 0.78)[i // 2 % 2]
        color = colorsys.hsv_to_rgb(hue, 0.62, value)
        colors.append(tuple(round(255 * c) for c in color))
    return np.array(colors, dtype=np.uint8)
