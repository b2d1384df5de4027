"""Pictures for the tests of figures."""

import numpy as np


def image_of(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def places_of(figure, picture):
    """Places (y, x) of a picture in a figure, pixel by pixel."""
    height, width = picture.shape[:2]
    return [(int(y), int(x))
            for y, x in zip(*np.nonzero((figure == picture[0, 0]).all(axis=2)))
            if np.array_equal(figure[y:y + height, x:x + width], picture)]
