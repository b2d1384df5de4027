import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from mmhierseg.superpixels import SEEDS


def photo(height, width):
    return np.ascontiguousarray(astronaut()[:height, 60:60 + width])


def as_tensor(rgb):
    return torch.from_numpy(rgb).permute(2, 0, 1)[None]


@pytest.mark.parametrize('size, num_superpixels', [((224, 224), 196),
                                                   ((150, 211), 123)])
@pytest.mark.parametrize('bins, iterations, options', [
    (15, 20, {}),  # pre-training, the default
    (5, 15, dict(histogram_bins=5, num_iterations=15))])
def test_is_opencv_with_the_recipes_of_cast(size, num_superpixels, bins,
                                            iterations, options):
    rgb = photo(*size)
    seeds = cv2.ximgproc.createSuperpixelSEEDS(
        *size[::-1], 3, num_superpixels, num_levels=1, prior=2,
        histogram_bins=bins, double_step=False)
    seeds.iterate(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), iterations)
    # OpenCV's labels without gaps.
    expected = np.unique(
        seeds.getLabels(), return_inverse=True)[1].reshape(size)
    np.testing.assert_array_equal(
        SEEDS(**options)(as_tensor(rgb))[0], expected)


# OpenCV alone crashes or hangs on each of these.
@pytest.mark.parametrize('size, options', [
    ((2, 2), dict(num_segments=4)),
    ((7, 200), dict(segment_size=16)),
    ((1, 40), dict(num_segments=2)),
    ((3, 40), dict(num_segments=3)),
    ((30, 7), dict(num_segments=3)),
    ((64, 64), dict(num_segments=4096)),
])
def test_sizes_that_opencv_cannot_take(size, options):
    labels = SEEDS(**options)(as_tensor(photo(*size)))
    used = labels.unique()
    assert labels.shape == (1, *size)
    assert used.equal(torch.arange(used.numel()))


@pytest.mark.parametrize('owner, name', [
    (cv2, 'ximgproc'), (cv2.ximgproc, 'createSuperpixelSEEDS')])
def test_opencv_without_contributed_modules(monkeypatch, owner, name):
    monkeypatch.delattr(owner, name)
    message = (r'SEEDS needs OpenCV with its contributed modules.*'
               r'pip install --force-reinstall --no-deps '
               r'"opencv-contrib-python-headless==\d+\.\d+.*"')
    with pytest.raises(ImportError, match=message):
        SEEDS()
