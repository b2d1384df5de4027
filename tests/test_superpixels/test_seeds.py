import sys

import cv2
import numpy as np
import pytest
import torch

from mmhierseg.superpixels import SEEDS


def photo(height, width):
    from skimage.data import astronaut
    return np.ascontiguousarray(astronaut()[:height, 60:60 + width])


def as_tensor(rgb):
    return torch.from_numpy(rgb).permute(2, 0, 1)[None]


@pytest.mark.parametrize('size, num_superpixels', [((224, 224), 196),
                                                   ((144, 208), 117),
                                                   ((150, 211), 123)])
@pytest.mark.parametrize('recipe', [(15, 20), (5, 15)])
def test_is_opencv_with_the_recipe_of_cast(size, num_superpixels, recipe):
    rgb = photo(*size)
    seeds = cv2.ximgproc.createSuperpixelSEEDS(
        *size[::-1], 3, num_superpixels, num_levels=1, prior=2,
        histogram_bins=recipe[0], double_step=False)
    seeds.iterate(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), recipe[1])
    # OpenCV's labels without gaps.
    expected = np.unique(
        seeds.getLabels(), return_inverse=True)[1].reshape(size)
    superpixels = SEEDS(
        segment_size=16, histogram_bins=recipe[0], num_iterations=recipe[1])
    np.testing.assert_array_equal(superpixels(as_tensor(rgb))[0], expected)


def test_default_is_the_recipe_of_pre_training():
    default = SEEDS()
    assert (default.segment_size, default.histogram_bins,
            default.num_iterations) == (16, 15, 20)
    assert (default.prior, default.num_levels, default.double_step) == (2, 1,
                                                                        False)
    labels = default(as_tensor(photo(224, 224)))
    assert labels.max() == 195


# OpenCV alone crashes or hangs on each of these.
@pytest.mark.parametrize('size, options', [
    ((1, 1), dict(num_segments=1)),
    ((2, 2), dict(num_segments=4)),
    ((7, 200), dict(segment_size=16)),
    ((1, 40), dict(num_segments=2)),
    ((40, 1), dict(num_segments=2)),
    ((3, 40), dict(num_segments=3)),
    ((30, 7), dict(num_segments=3)),
    ((64, 64), dict(num_segments=4096)),
    ((64, 64), dict(num_segments=2000)),
])
def test_sizes_that_opencv_cannot_take(size, options):
    labels = SEEDS(**options)(as_tensor(photo(*size)))
    used = labels.unique()
    assert labels.shape == (1, *size)
    assert used.equal(torch.arange(used.numel()))


@pytest.mark.parametrize('options, message', [
    (dict(segment_size=1), '`segment_size` must be at least 2'),
    (dict(histogram_bins=0), '`histogram_bins` must be at least 1'),
    (dict(num_iterations=0), '`num_iterations` must be at least 1'),
    (dict(prior=6), '`prior` must be at most 5'),
    (dict(num_levels=0), '`num_levels` must be at least 1'),
])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        SEEDS(**options)


@pytest.mark.parametrize('broken', ['module', 'function'])
def test_opencv_without_contrib(monkeypatch, broken):
    if broken == 'module':
        monkeypatch.delattr(cv2, 'ximgproc')
    else:
        monkeypatch.delattr(cv2.ximgproc, 'createSuperpixelSEEDS')
    message = (r'SEEDS needs OpenCV with its contributed modules.*'
               r'pip install --force-reinstall --no-deps '
               r'"opencv-contrib-python-headless==\d+\.\d+.*"')
    with pytest.raises(ImportError, match=message):
        SEEDS()


def test_no_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv2', None)
    with pytest.raises(ImportError, match='pip install opencv-contrib'):
        SEEDS()
