"""Images, maps and pictures for the tests of figures."""

import numpy as np

PALETTE = [(0, 0, 0), (200, 0, 0), (0, 0, 200)]


def image_of(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def nested_maps(height, width):
    """Blocks of 4, 8 and 16 pixels: three nested levels."""
    rows, cols = np.mgrid[:height, :width]
    return [rows // n * 1000 + cols // n for n in (4, 8, 16)]


def halves(height, width, left, right):
    labels = np.full((height, width), left)
    labels[:, width // 2:] = right
    return labels


def places_of(figure, picture):
    """Places (y, x) of a picture in a figure, pixel by pixel."""
    height, width = picture.shape[:2]
    return [(int(y), int(x))
            for y, x in zip(*np.nonzero((figure == picture[0, 0]).all(axis=2)))
            if np.array_equal(figure[y:y + height, x:x + width], picture)]


def blended(image, color, opacity=0.65):
    """One colour over the grey image."""
    grey = image.astype(float).mean(axis=2, keepdims=True)
    mixed = opacity * np.array(color) + (1 - opacity) * grey
    return np.rint(mixed).astype(np.uint8)
