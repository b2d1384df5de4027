"""Draws one map of segments: as boundaries over its image, as mean colours.

Functions on NumPy arrays. Legend: H x W pixels; images are RGB in 0..255,
(H, W, 3) uint8; label maps are (H, W) integer, negative = no segment.
"""

from typing import Sequence, Tuple

import numpy as np

__all__ = ['boundary_mask', 'count_segments', 'draw_boundaries', 'mean_colors']

# Colour of pixels without a segment: neutral, and no mean of a photograph's
# segment is likely to be exactly this.
NONE_COLOR = (128, 128, 128)


def boundary_mask(labels: np.ndarray, width: int = 1) -> np.ndarray:
    """Pixels on the boundary between two segments.

    A line of one pixel runs along the side of the segment to the right of, or
    below, the boundary; wider lines grow to both sides in turn. Pixels without
    a segment count as a segment of their own.

    Args:
        labels (np.ndarray): (H, W) integer label map, negative = none.
        width (int): Width of the lines in pixels, at least 1. Defaults to 1.

    Returns:
        np.ndarray: (H, W) bool, True on boundaries.

    Raises:
        TypeError: If ``labels`` is not an integer array.
        ValueError: If ``labels`` has another number of axes than two, or
            ``width`` is less than 1.

    Example:
        >>> boundary_mask(np.array([[0, 0, 1, 1]])).astype(int)
        array([[0, 0, 1, 0]])
        >>> boundary_mask(np.array([[0, 0, 1, 1]]), width=2).astype(int)
        array([[0, 1, 1, 0]])
    """
    labels = _check_labels(labels)
    if width < 1:
        raise ValueError(f'`width` must be at least 1, got {width}')
    # -1, -2, ... all mean "none" and must not be told apart.
    labels = np.maximum(labels, -1)
    mask = np.zeros(labels.shape, dtype=bool)
    steps = _offsets(width)
    for axis in (0, 1):
        change = np.diff(labels, axis=axis) != 0
        at = np.moveaxis(mask, axis, 0)
        # change[i] lies between i and i + 1: offset 1 is the far side.
        _mark(at, np.moveaxis(change, axis, 0), steps)
    return mask


def draw_boundaries(image: np.ndarray,
                    labels: np.ndarray,
                    color: Sequence[int] = (255, 255, 255),
                    width: int = 1,
                    outline: float = 0.6) -> np.ndarray:
    """Segment boundaries over the image.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        labels (np.ndarray): (H, W) integer label map, negative = none; pixels
            without a segment are drawn half grey.
        color (Sequence[int]): Colour of the lines, RGB in 0..255. Defaults to
            white.
        width (int): Width of the lines in pixels. Defaults to 1.
        outline (float): How dark the pixel on either side of a line becomes,
            0 (unchanged) to 1 (black): lines stay visible on any image.
            Defaults to 0.6.

    Returns:
        np.ndarray: (H, W, 3) uint8, a new array.

    Raises:
        TypeError: If ``image`` is not uint8 or ``labels`` not integer.
        ValueError: If the shapes are not (H, W, 3) and (H, W) with the same
            H and W, or ``outline`` lies outside [0, 1].
    """
    image, labels = _check_pair(image, labels)
    if not 0 <= outline <= 1:
        raise ValueError(f'`outline` must lie in [0, 1], got {outline}')
    drawn = image.astype(np.float32)
    none = labels < 0
    drawn[none] = (drawn[none] + np.float32(NONE_COLOR)) / 2
    drawn[boundary_mask(labels, width + 2)] *= 1 - outline
    drawn[boundary_mask(labels, width)] = color
    return np.rint(drawn).astype(np.uint8)


def mean_colors(image: np.ndarray,
                labels: np.ndarray,
                none_color: Sequence[int] = NONE_COLOR) -> np.ndarray:
    """Image with every segment painted in its mean colour.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        labels (np.ndarray): (H, W) integer label map, negative = none; any
            numbers, they need not be compact.
        none_color (Sequence[int]): Colour of pixels without a segment, RGB in
            0..255. Defaults to mid-grey.

    Returns:
        np.ndarray: (H, W, 3) uint8, a new array.

    Raises:
        TypeError: If ``image`` is not uint8 or ``labels`` not integer.
        ValueError: If the shapes are not (H, W, 3) and (H, W) with the same
            H and W.

    Example:
        >>> image = np.array([[[0] * 3, [20] * 3, [90] * 3]], dtype=np.uint8)
        >>> mean_colors(image, np.array([[7, 7, -1]]))[0, :, 0]
        array([ 10,  10, 128], dtype=uint8)
    """
    image, labels = _check_pair(image, labels)
    painted = np.empty_like(image)
    painted[:] = np.uint8(none_color)
    inside = labels >= 0
    _, index = np.unique(labels[inside], return_inverse=True)
    counts = np.maximum(np.bincount(index), 1)
    for channel in range(3):
        sums = np.bincount(index, weights=image[inside, channel])
        painted[inside, channel] = np.rint(sums / counts)[index]
    return painted


def count_segments(labels: np.ndarray) -> int:
    """Number of segments that have pixels.

    Args:
        labels (np.ndarray): (H, W) integer label map, negative = none.

    Returns:
        int: Number of different non-negative labels.

    Example:
        >>> count_segments(np.array([[5, 5, 9], [-1, 5, 9]]))
        2
    """
    labels = _check_labels(labels)
    return int(np.unique(labels[labels >= 0]).size)


def _offsets(width: int) -> range:
    """Rows to mark, relative to the last one before the boundary."""
    return range(1 - width // 2, 1 - width // 2 + width)


def _mark(mask: np.ndarray, change: np.ndarray, steps: range) -> None:
    """Mark rows around every change along the first axis, in place."""
    length = len(mask)
    for step in steps:
        first, last = max(0, -step), min(len(change), length - step)
        if first < last:
            mask[first + step:last + step] |= change[first:last]


def _check_labels(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError('`labels` must be an integer array, got dtype '
                        f'{labels.dtype}')
    if labels.ndim != 2:
        raise ValueError(
            f'`labels` must have shape (H, W), got {labels.shape}')
    # Unsigned numbers cannot be compared with -1 in every NumPy version.
    return labels.astype(np.int64, copy=False)


def _check_pair(image: np.ndarray,
                labels: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise TypeError(f'`image` must be uint8, got dtype {image.dtype}')
    labels = _check_labels(labels)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'`image` must have shape (H, W, 3), got {image.shape}')
    if image.shape[:2] != labels.shape:
        raise ValueError('`labels` must be as large as `image`, '
                         f'{image.shape[:2]}, got {labels.shape}')
    return image, labels
