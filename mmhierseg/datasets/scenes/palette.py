"""Colours of label maps."""

import numpy as np

__all__ = ['voc_palette']


def voc_palette() -> np.ndarray:
    """Colours of label maps as in Pascal VOC's own PNGs.

    Returns:
        np.ndarray: (256, 3) uint8; bits 3k + c of an id, low ones first, are
        the bits of channel c, high ones first.

    Example:
        >>> voc_palette()[:3].tolist()
        [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    """
    ids = np.arange(256)[:, None]
    channels = np.arange(3)
    palette = sum(((ids >> (3 * k + channels)) & 1) << (7 - k)
                  for k in range(3))
    return palette.astype(np.uint8)
