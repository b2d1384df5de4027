import sys

import numpy as np
import pytest
from skimage.segmentation import slic

from mmhierseg.superpixels import SLIC


def test_is_scikit_image(photos):
    labels = SLIC(num_segments=60, compactness=20, num_iterations=4)(photos)
    for image, found in zip(photos, labels):
        expected = slic(
            image.permute(1, 2, 0).numpy(),
            n_segments=60,
            compactness=20,
            max_num_iter=4,
            start_label=0)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('options, message', [
    (dict(compactness=0), '`compactness` must be at least'),
    (dict(num_iterations=0), '`num_iterations` must be at least 1'),
    (dict(sigma=-1), '`sigma` must be at least 0, got -1'),
])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        SLIC(**options)


def test_no_scikit_image(monkeypatch):
    monkeypatch.setitem(sys.modules, 'skimage.segmentation', None)
    with pytest.raises(ImportError, match='pip install scikit-image'):
        SLIC()
