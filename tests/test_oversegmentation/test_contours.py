import math
import re

import cv2
import numpy as np
import pytest
from helpers.contours import FOREST

from mmhierseg.oversegmentation import (
    gradient_contours,
    load_structured_edges,
    ridge_directions,
    structured_edges,
)


def halves(angle, size=(121, 163), colors=((200, 60, 30), (30, 60, 200))):
    """An image of two halves; the border runs in a direction."""
    y, x = np.mgrid[:size[0], :size[1]]
    y, x = y - size[0] // 2, x - size[1] // 2
    # No pixel lies on the border, which would depend on rounding.
    side = x * math.sin(angle) - y * math.cos(angle) > 0.25
    return np.where(side[..., None], *colors).astype(np.uint8)


@pytest.mark.parametrize('degrees', [0, 30, 90, 135])
def test_direction(degrees):
    angle = math.radians(degrees)
    contours = gradient_contours(halves(angle))
    middle = contours.strength.shape[0] // 2, contours.strength.shape[1] // 2
    # Modulo pi: 0 and pi are one direction.
    turned = contours.direction[middle] - angle
    assert abs(math.sin(turned)) < 0.05
    # Nowhere is the contour stronger than on the border.
    y, x = np.nonzero(contours.strength == contours.strength.max())
    distance = ((x - middle[1]) * math.sin(angle) -
                (y - middle[0]) * math.cos(angle))
    assert np.abs(distance).max() < 1.01


def test_strength_is_that_of_the_colour_difference():
    """An ideal step of a difference d has 1 - exp(-d / 60)."""
    for grey, other in ((0, 255), (100, 140)):
        image = np.full((64, 80, 3), grey, dtype=np.uint8)
        image[:, 40:] = other
        lab = cv2.cvtColor(image.astype(np.float32) / 255,
                           cv2.COLOR_RGB2Lab)
        difference = np.linalg.norm(lab[0, 0] - lab[0, -1])
        found = gradient_contours(image).strength[32, 39:41]
        # The derivative is sampled half a pixel beside the step.
        expected = 1 - math.exp(-difference / 60)
        np.testing.assert_allclose(found, expected, rtol=0.05)


@pytest.mark.parametrize('size', [(1, 1), (1, 9), (30, 50)])
def test_uniform_image_and_noise(size):
    contours = gradient_contours(np.full((*size, 3), 77, dtype=np.uint8))
    assert contours.strength.shape == contours.direction.shape == size
    assert contours.strength.dtype == contours.direction.dtype == np.float32
    assert (contours.strength == 0).all()
    # Noise, also where it is not contiguous.
    image = np.random.default_rng(0).integers(
        0, 256, (*size, 3), dtype=np.uint8)
    strength, direction = gradient_contours(image)
    assert strength.min() >= 0 and strength.max() <= 1
    assert direction.min() >= 0 and direction.max() < math.pi
    turned = gradient_contours(image.transpose(1, 0, 2))
    np.testing.assert_allclose(turned.strength.T, strength, atol=1e-5)


@pytest.mark.parametrize('degrees', [0, 30, 90, 135])
def test_ridge_directions(degrees):
    angle = math.radians(degrees)
    y, x = np.mgrid[-20:21, -30:31]
    distance = x * math.sin(angle) - y * math.cos(angle)
    ridge = np.exp(-distance**2 / 8).astype(np.float32)
    found = ridge_directions(ridge)
    on_ridge = np.abs(distance) < 1
    on_ridge &= (np.abs(y) < 12) & (np.abs(x) < 20)  # Borders reflect it.
    assert np.abs(np.sin(found[on_ridge] - angle)).max() < 0.05
    assert found.min() >= 0 and found.max() < math.pi


def test_opencvs_detector(tmp_path):
    """OpenCV's own code, with a minimal model."""
    path = tmp_path / 'model.yml'
    path.write_text(FOREST)
    image = np.zeros((64, 96, 3), dtype=np.uint8)
    image[:, 48:] = 255
    strength, direction = structured_edges(
        image, load_structured_edges(str(path)))
    assert strength.shape == direction.shape == (64, 96)
    columns = strength[32] > 0
    assert columns[44:52].all() and not columns[:40].any()
    assert not columns[56:].any()
    np.testing.assert_allclose(direction[20:40, 47], math.pi / 2, atol=1e-3)


def test_model_of_structured_edges(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match='no model .*opencv_extra'):
        load_structured_edges(str(tmp_path / 'model.yml.gz'))
    path = tmp_path / 'other.yml'
    for content in ('', 'words', '%YAML:1.0\n---\nnot: 1\n',
                    FOREST.replace('numberOfTrees: 1', 'numberOfTrees: 0')):
        path.write_text(content)
        with pytest.raises(ValueError,
                           match=re.escape(f"'{path}' is not a model of")):
            load_structured_edges(str(path))
    monkeypatch.setattr(cv2, 'ximgproc', None)
    with pytest.raises(ImportError, match='opencv-contrib-python-headless'):
        load_structured_edges(str(path))


@pytest.mark.parametrize('image, error, message', [
    ([[1]], TypeError, 'must be an array of uint8, got list'),
    (np.zeros((4, 4, 3)), TypeError, 'of uint8, got float64'),
    (np.zeros((4, 4), dtype=np.uint8), ValueError, r'got \(4, 4\)'),
    (np.zeros((4, 0, 3), dtype=np.uint8), ValueError, 'at least one pixel'),
])
def test_bad_images(image, error, message):
    with pytest.raises(error, match=message):
        gradient_contours(image)
