"""Drawing of one segment map: boundaries over the image, mean colours.

Functions on NumPy arrays. Legend: H x W pixels; images are RGB in 0..255,
(H, W, 3) uint8; label maps are (H, W) integer, negative = no segment.
"""

import colorsys
from collections.abc import Sequence

import numpy as np

__all__ = ['boundary_mask', 'count_segments', 'draw_boundaries', 'mean_colors']

# Colour of pixels without a segment: neutral, and rarely the exact mean of a
# segment of a photograph.
NONE_COLOR = (128, 128, 128)
_BACKGROUND = (38, 38, 43)
_GOLDEN_RATIO = 0.618034


def boundary_mask(labels: np.ndarray, width: int = 1) -> np.ndarray:
    """Pixels on the boundary between two segments.

    Lines of one pixel lie to the right of, or below, the boundary; wider lines
    grow to both sides in turn. Pixels without a segment count as one segment.

    Args:
        labels (np.ndarray): (H, W) integer label map, negative = none.
        width (int): Width of the lines in pixels, at least 1. Defaults to 1.

    Returns:
        np.ndarray: (H, W) bool, True on boundaries.

    Raises:
        TypeError: If ``labels`` is not an integer array.
        ValueError: If ``labels`` does not have two axes, or ``width`` is less
            than 1.

    Example:
        >>> boundary_mask(np.array([[0, 0, 1, 1]])).astype(int)
        array([[0, 0, 1, 0]])
        >>> boundary_mask(np.array([[0, 0, 1, 1]]), width=2).astype(int)
        array([[0, 1, 1, 0]])
    """
    labels = np.maximum(_check_labels(labels), -1)
    if width < 1:
        raise ValueError(f'`width` must be at least 1, got {width}')
    mask = np.zeros(labels.shape, dtype=bool)
    for lines, across in ((mask, labels), (mask.T, labels.T)):
        row, column = np.nonzero(np.diff(across, axis=0))
        for step in range(1 - width // 2, 1 - width // 2 + width):
            lines[np.clip(row + step, 0, len(lines) - 1), column] = True
    return mask


def draw_boundaries(image: np.ndarray,
                    labels: np.ndarray,
                    color: Sequence[int] = (255, 255, 255),
                    width: int = 1,
                    outline: float = 0.6) -> np.ndarray:
    """Draw segment boundaries over the image.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        labels (np.ndarray): (H, W) integer label map, negative = none; pixels
            without a segment are drawn half grey.
        color (Sequence[int]): Colour of the lines, RGB in 0..255. Defaults to
            white.
        width (int): Width of the lines in pixels. Defaults to 1.
        outline (float): How much the pixel on either side of a line is
            darkened, 0 (unchanged) to 1 (black), so that lines stay visible on
            any image. Defaults to 0.6.

    Returns:
        np.ndarray: (H, W, 3) uint8, a new array.

    Raises:
        TypeError: If ``image`` is not uint8 or ``labels`` not integer.
        ValueError: If the shapes are not (H, W, 3) and (H, W) with the same
            H and W, or ``outline`` lies outside [0, 1].
    """
    image, labels = check_image_and_map(image, labels)
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
    """Paint every segment in its mean colour.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        labels (np.ndarray): (H, W) integer label map, negative = none; need
            not be compact.
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
    image, labels = check_image_and_map(image, labels)
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
    return len(np.unique(labels[labels >= 0]))


def distinct_colors(count: int) -> np.ndarray:
    """Colours (count, 3) uint8 that differ clearly for neighbouring numbers.

    The first one is dark, for a background.

    Example:
        >>> distinct_colors(2)
        array([[ 38,  38,  43],
               [ 97, 143, 255]], dtype=uint8)
    """
    colors = [_BACKGROUND]
    for i in range(1, count):
        value = (1., 0.78)[i // 2 % 2]
        color = colorsys.hsv_to_rgb(i * _GOLDEN_RATIO % 1, 0.62, value)
        colors.append(tuple(round(255 * c) for c in color))
    return np.array(colors, dtype=np.uint8)


def _check_labels(labels: np.ndarray, name: str = 'labels') -> np.ndarray:
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f'`{name}` must be an integer array, got dtype '
                        f'{labels.dtype}')
    if labels.ndim != 2:
        raise ValueError(
            f'`{name}` must have shape (H, W), got {labels.shape}')
    # Not all versions of NumPy compare unsigned numbers with -1.
    return labels.astype(np.int64, copy=False)


def check_image_and_map(image: np.ndarray,
                        labels: np.ndarray,
                        name: str = 'labels'
                        ) -> tuple[np.ndarray, np.ndarray]:
    """Check an image and a map of it; return them as uint8 and int64."""
    image, labels = np.asarray(image), _check_labels(labels, name)
    if image.dtype != np.uint8:
        raise TypeError(f'`image` must be uint8, got dtype {image.dtype}')
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'`image` must have shape (H, W, 3), got {image.shape}')
    if image.shape[:2] != labels.shape:
        raise ValueError(f'`{name}` must be as large as `image`, '
                         f'{image.shape[:2]}, got {labels.shape}')
    return image, labels
