"""Drawing of one segment map: boundaries over the image, mean colours.

Legend: H x W pixels; images are RGB in 0..255; negative labels = no segment.
"""

import colorsys
from collections.abc import Sequence

import numpy as np

from mmhierseg._base.checks import check_number

NONE_COLOR = (128, 128, 128)
_BACKGROUND = (38, 38, 43)


def boundary_mask(labels: np.ndarray, width: int = 1) -> np.ndarray:
    """Pixels on the boundary between two segments, (H, W) bool.

    Lines of one pixel lie to the right of, or below, the boundary; wider lines
    grow to both sides in turn. Pixels without a segment count as one segment.

    Args:
        labels (np.ndarray): (H, W) integer label map, negative = none.
        width (int): Width of the lines in pixels, at least 1.

    Example:
        >>> boundary_mask(np.array([[0, 0, 1, 1]])).astype(int)
        array([[0, 0, 1, 0]])
    """
    labels = np.maximum(_check_labels(labels), -1)
    check_number('width', width, 1, whole=True)
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
    """Draw segment boundaries over a copy of the image.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        labels (np.ndarray): (H, W) integer label map, negative = none; pixels
            without a segment are drawn half grey.
        color (Sequence[int]): RGB of the lines.
        width (int): Width of the lines in pixels.
        outline (float): How much the pixel on either side of a line is
            darkened, 0 (unchanged) to 1 (black).
    """
    image, labels = check_image_and_map(image, labels)
    check_number('outline', outline, 0, 1)
    drawn = image.astype(np.float32)
    none = labels < 0
    drawn[none] = (drawn[none] + np.float32(NONE_COLOR)) / 2
    drawn[boundary_mask(labels, width + 2)] *= 1 - outline
    drawn[boundary_mask(labels, width)] = color
    return np.rint(drawn).astype(np.uint8)


def mean_colors(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Paint every segment in its mean colour; a new (H, W, 3) uint8.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        labels (np.ndarray): (H, W) integer label map, need not be compact;
            negative = none, which is painted mid-grey.

    Example:
        >>> image = np.array([[[0] * 3, [20] * 3, [90] * 3]], dtype=np.uint8)
        >>> mean_colors(image, np.array([[7, 7, -1]]))[0, :, 0]
        array([ 10,  10, 128], dtype=uint8)
    """
    image, labels = check_image_and_map(image, labels)
    index = few_numbers(labels)
    counts = np.maximum(np.bincount(index.ravel()), 1)
    colors = np.stack([
        np.bincount(index.ravel(), weights=image[..., channel].ravel())
        for channel in range(3)
    ], axis=1) / counts[:, None]
    colors[0] = NONE_COLOR
    return np.rint(colors).astype(np.uint8)[index]


def count_segments(labels: np.ndarray) -> int:
    """Number of different non-negative labels in a map, (H, W) integer."""
    index = few_numbers(_check_labels(labels))
    return int(np.count_nonzero(np.bincount(index.ravel())[1:]))


def few_numbers(labels: np.ndarray) -> np.ndarray:
    """Labels from 1, 0 = none, so that they can be counted in a table."""
    if labels.size and labels.max() > labels.size:
        found, index = np.unique(labels, return_inverse=True)
        return (index.reshape(labels.shape) + 1 - np.searchsorted(found, 0)
                ).clip(min=0)
    return np.maximum(labels, -1) + 1


def distinct_colors(count: int) -> np.ndarray:
    """Colours (count, 3) uint8 that differ clearly for neighbouring numbers.

    The first one is dark, for a background.
    """
    colors = [
        colorsys.hsv_to_rgb(i * 0.618034 % 1, 0.62, (1., 0.78)[i // 2 % 2])
        for i in range(1, count)
    ]
    colors = np.rint(255 * np.reshape(colors, (-1, 3)))
    return np.concatenate([[_BACKGROUND], colors]).astype(np.uint8)


def draw_label_map(labels: np.ndarray) -> np.ndarray:
    """Paint labels (H, W), 0 = dark background, in distinct colours."""
    return distinct_colors(int(labels.max()) + 1)[labels]


def _check_labels(labels: np.ndarray, name: str = 'labels',
                  kind: type = np.integer) -> np.ndarray:
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, kind):
        raise TypeError(f'`{name}` must be an array of dtype {kind.__name__}, '
                        f'got dtype {labels.dtype}')
    if labels.ndim != 2:
        raise ValueError(
            f'`{name}` must have shape (H, W), got {labels.shape}')
    # Not all versions of NumPy compare unsigned numbers with -1.
    return labels.astype(np.int64, copy=False)


def check_image_and_map(image: np.ndarray, labels: np.ndarray,
                        name: str = 'labels', kind: type = np.integer
                        ) -> tuple[np.ndarray, np.ndarray]:
    """Check an image and a map of it; return them as uint8 and int64."""
    image, labels = np.asarray(image), _check_labels(labels, name, kind)
    if image.dtype != np.uint8:
        raise TypeError(f'`image` must be uint8, got dtype {image.dtype}')
    if image.shape != (*labels.shape, 3):
        raise ValueError(
            f'`image` must have shape (H, W, 3) with the (H, W) of `{name}`, '
            f'{labels.shape}, got {image.shape}')
    return image, labels
