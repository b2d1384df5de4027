"""Segment maps as PNG, without loss: one integer label per pixel."""

import io

import numpy as np
from PIL import Image

from mmhierseg._base.errors import UserError

from ..files import decode_image
from .attach import LABEL_LIMIT

__all__ = ['decode_segment_map', 'encode_segment_map']

#: Modes of Pillow that hold one integer per pixel.
_PLAIN_MODES = ('1', 'L', 'P', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N')


def encode_segment_map(labels: np.ndarray) -> bytes:
    """Encode segment labels as a PNG, in as few bits as they need.

    Args:
        labels (np.ndarray): (H, W) integer, 0 to 2^24 - 1.

    Returns:
        bytes: Grey values of 8 or 16 bits, or, from 2^16 on, RGB with labels
        R + 256 G + 65536 B.

    Raises:
        TypeError: If ``labels`` is no array of integers.
        ValueError: If it is not (H, W) with at least one pixel, or a label is
            out of range.

    Example:
        >>> labels = np.array([[0, 300, 70000]])
        >>> decode_segment_map(encode_segment_map(labels), 'a.png')
        array([[    0,   300, 70000]], dtype=int32)
    """
    if (not isinstance(labels, np.ndarray)
            or not np.issubdtype(labels.dtype, np.integer)):
        raise TypeError('`labels` must be an array of integers, got '
                        f'{getattr(labels, "dtype", type(labels).__name__)}')
    if labels.ndim != 2 or not labels.size:
        raise ValueError('`labels` must have shape (H, W) with at least one '
                         f'pixel, got {labels.shape}')
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= LABEL_LIMIT:
        raise ValueError(f'`labels` must be from 0 to {LABEL_LIMIT - 1} '
                         f'(2^24 - 1), got {low} to {high}: number the '
                         'segments of each image from 0')
    if high < 2**16:
        pixels = labels.astype(np.uint8 if high < 2**8 else np.uint16)
    else:
        pixels = np.stack([labels >> shift & 255 for shift in (0, 8, 16)],
                          axis=2).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format='PNG')
    return buffer.getvalue()


def decode_segment_map(content: bytes, path: str) -> np.ndarray:
    """Decode a PNG of segment labels.

    Args:
        content (bytes): The file.
        path (str): Where it comes from, for the messages.

    Returns:
        np.ndarray: (H, W) int32, 0 to 2^24 - 1.

    Raises:
        UserError: If the file is unreadable or truncated, or its pixels are
            no labels.
    """
    pixels, mode, kind = decode_image(content, path, 'segment map')
    if kind != 'PNG':
        raise UserError(f"segment map '{path}' must be a PNG, which keeps "
                        f'labels as they are, got {kind}')
    if mode in _PLAIN_MODES:
        return pixels.astype(np.int32)
    if mode == 'RGB':
        red, green, blue = np.moveaxis(pixels.astype(np.int32), 2, 0)
        return red + 256 * green + 65536 * blue
    raise UserError(
        f"segment map '{path}' has pixels of mode {mode!r}; expected labels "
        'as grey values of 8 or 16 bits, palette indices or RGB '
        '(R + 256 G + 65536 B) without transparency')
