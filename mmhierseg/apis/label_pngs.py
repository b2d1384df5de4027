"""Label maps as PNGs that show the segments and hold their numbers.

Legend: label maps are (H, W) integer, segments in [0, N - 1], -1 = none, which
is black. A number is a label + 1, 0 = none.

Up to 255 segments, pixels are indices of a palette: the numbers. Up to 4095,
they are RGB whose upper four bits are the colour; the lower four of red, green
and blue are the number, red the lowest: 16 steps of a colour are enough to see
the segments. More are 16-bit grey, which looks black.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from mmhierseg._base.errors import UserError

#: Segments at most with a palette, with colours, and at all.
MAX_PALETTE, MAX_COLORS, MAX_SEGMENTS = 255, 4095, 65535
_SHIFTS = np.array([0, 4, 8])


def save_label_png(path: str | os.PathLike, labels: np.ndarray,
                   colors: np.ndarray) -> None:
    """Write a label map; :func:`read_label_png` reads it.

    Args:
        path (str | os.PathLike): File to write.
        labels (np.ndarray): (H, W) integer in [-1, N - 1], N <= 65535.
        colors (np.ndarray): (N, 3) uint8, RGB, of the segments.
    """
    table = np.vstack([[[0, 0, 0]], colors]).astype(np.uint8)
    if len(colors) <= MAX_PALETTE:
        picture = Image.fromarray((labels + 1).astype(np.uint8))
        picture.putpalette(table.tobytes())
    elif len(colors) <= MAX_COLORS:
        low = np.arange(len(table))[:, None] >> _SHIFTS & 15
        table = table & 240 | low.astype(np.uint8)
        pixels = np.empty((*labels.shape, 3), np.uint8)
        for row, values in zip(pixels, labels):  # little memory
            row[:] = table[values + 1]
        picture = Image.fromarray(pixels)
    else:
        picture = Image.fromarray((labels + 1).astype(np.uint16))
    picture.save(path, compress_level=1)


def read_label_png(path: str | os.PathLike) -> np.ndarray:
    """Read a label map that ``save_labels='png'`` has written.

    Returns:
        np.ndarray: (H, W) int32, -1 = none.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is another file.
    """
    from mmhierseg.datasets.files import decode_labels  # takes a second
    picture = decode_labels(
        Path(path).read_bytes(), str(path), 'the label map')
    pixels = np.asarray(picture)
    if picture.mode == 'RGB':
        pixels = ((pixels & 15).astype(np.int32) << _SHIFTS).sum(2)
    elif picture.mode != 'P' and not picture.mode.startswith('I;16'):
        raise UserError(f'{str(path)!r} is no label map: its pixels are of '
                        f'mode {picture.mode!r}; expected P, RGB or I;16')
    return pixels.astype(np.int32) - 1
