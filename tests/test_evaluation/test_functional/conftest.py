"""Label maps that look like predictions: blobs, errors, ignored pixels."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

SHAPE = (37, 58)


def blobs(rng, num_labels, sigma=4., shape=SHAPE):
    """(H, W) labels in connected shapes."""
    noise = rng.standard_normal((num_labels, *shape))
    return gaussian_filter(noise, (0, sigma, sigma)).argmax(0)


@pytest.fixture(params=range(2), ids='seed{}'.format)
def rng(request):
    return np.random.default_rng(request.param)


@pytest.fixture
def target(rng):
    """Five classes and 255; one of the classes is rare."""
    target = blobs(rng, 5)
    target[blobs(rng, 6) == 0] = 255
    return target


@pytest.fixture
def pred(rng, target):
    """The truth, shifted by a few pixels and partly replaced."""
    pred = np.roll(target, rng.integers(1, 4), axis=int(rng.integers(2)))
    other = blobs(rng, 5)
    return np.where((pred == 255) | (blobs(rng, 4) == 0), other, pred)


@pytest.fixture
def segments(rng):
    """About 40 segments with gaps in their ids, and pixels without."""
    segments = 3 * blobs(rng, 40, sigma=2.) + 5
    segments[blobs(rng, 9) == 0] = -1
    return segments


@pytest.fixture
def renamed(rng, segments):
    """The same segments with other ids."""
    order = rng.permutation(segments.max() + 1) * 10**9
    return np.where(segments < 0, -9, order[segments])
