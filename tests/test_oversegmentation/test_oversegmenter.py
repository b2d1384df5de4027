import math
import pickle
import re

import cv2
import numpy as np
import pytest

from mmhierseg.evaluation.functional import achievable_segmentation_accuracy
from mmhierseg.oversegmentation import (
    OverSegmenter,
    gradient_contours,
    load_structured_edges,
    ridge_directions,
)

#: A forest of one tree that asks whether there is a gradient in the middle of
#: a patch, and if so says that the middle is an edge.
FOREST = """%YAML:1.0
---
options:
   stride: 2
   shrinkNumber: 2
   patchSize: 32
   patchInnerSize: 16
   numberOfGradientOrientations: 4
   gradientSmoothingRadius: 0
   regFeatureSmoothingRadius: 2
   ssFeatureSmoothingRadius: 8
   gradientNormalizationRadius: 4
   selfsimilarityGridSize: 5
   numberOfTrees: 1
   numberOfTreesToEvaluate: 1
childs:
   - [ 2, 0, 0 ]
featureIds:
   - [ 904, 0, 0 ]
thresholds:
   - [ 0.1, 0., 0. ]
edgeBoundaries: [ 0, 0, 0, 4 ]
edgeBins: [ 119, 120, 135, 136 ]
"""


def halves(angle, size=(121, 163), colors=((200, 60, 30), (30, 60, 200))):
    """An image of two halves; the border runs in a direction."""
    y, x = np.mgrid[:size[0], :size[1]]
    y, x = y - size[0] // 2, x - size[1] // 2
    # No pixel lies on the border, which would depend on rounding.
    side = x * math.sin(angle) - y * math.cos(angle) > 0.25
    return np.where(side[..., None], *colors).astype(np.uint8)


@pytest.mark.parametrize('degrees', [0, 30, 90, 135])
def test_direction(degrees):
    """The colour gradient and the ridge of its strength."""
    angle = math.radians(degrees)
    contours = gradient_contours(halves(angle))
    middle = contours.strength.shape[0] // 2, contours.strength.shape[1] // 2
    for found in (contours.direction, ridge_directions(contours.strength)):
        # Modulo pi: 0 and pi are one direction.
        assert abs(math.sin(found[middle] - angle)) < 0.05
        assert found.min() >= 0 and found.max() < math.pi
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
        lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
        difference = np.linalg.norm(lab[0, 0] - lab[0, -1])
        found = gradient_contours(image).strength[32, 39:41]
        # The derivative is sampled half a pixel beside the step.
        expected = 1 - math.exp(-difference / 60)
        np.testing.assert_allclose(found, expected, rtol=0.05)


def test_model_of_structured_edges(tmp_path, monkeypatch):
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


def known(size=(120, 200), noise=0.):
    """Image and map of four regions, farther apart than the widest filter."""
    y, x = np.mgrid[:size[0], :size[1]]
    regions = np.zeros(size, dtype=np.int64)
    regions[:, size[1] // 2:] = 1
    regions[(y - size[0] / 2)**2 + (x - size[1] / 4)**2 < 500] = 2
    regions[30:85, 130:170] = 3
    colors = np.array([(40, 90, 160), (90, 160, 60), (210, 180, 60),
                       (170, 60, 60)])
    image = colors[regions] + np.random.default_rng(0).normal(
        0, noise, (*size, 3))
    return image.round().clip(0, 255).astype(np.uint8), regions


@pytest.mark.parametrize('noise, options', [
    (0, dict(threshold=0.25)), (12, dict()), (12, dict(num_regions=4))])
def test_finds_known_regions(options, noise):
    image, regions = known(noise=noise)
    labels = OverSegmenter(**options)(image)
    assert labels.shape == regions.shape and labels.dtype == np.int32
    assert len(np.unique(labels)) == labels.max() + 1 == 4
    assert achievable_segmentation_accuracy(labels, regions) > 0.98


@pytest.mark.parametrize('size', [(1, 1), (1, 8), (8, 1), (40, 57)])
def test_uniform_images_and_noise(size):
    image = np.full((*size, 3), (13, 130, 220), dtype=np.uint8)
    for options in (dict(), dict(threshold=0.), dict(num_regions=20)):
        labels = OverSegmenter(**options)(image)
        assert labels.shape == size and (labels == 0).all()
    image = np.random.default_rng(0).integers(
        0, 256, (*size, 3), dtype=np.uint8)
    strength, direction = gradient_contours(image)
    assert strength.dtype == direction.dtype == np.float32
    assert strength.min() >= 0 and strength.max() <= 1
    # Not contiguous.
    turned = gradient_contours(image.transpose(1, 0, 2))
    np.testing.assert_allclose(turned.strength.T, strength, atol=1e-5)
    labels = OverSegmenter(num_regions=3)(image)
    assert labels.shape == size and 0 <= labels.max() < 3
    # HSG's options if none is given.
    both = OverSegmenter(threshold=0.25, num_regions=48)
    assert np.array_equal(OverSegmenter()(image), both(image))


def test_with_structured_edges(tmp_path):
    """The detector is pickled for the workers of a data loader, too."""
    path = tmp_path / 'model.yml'
    path.write_text(FOREST)
    segmenter = OverSegmenter(threshold=0.01, edge_model=str(path))
    image = np.zeros((96, 128, 3), dtype=np.uint8)
    image[24:72, 40:88] = 255
    for one in (segmenter, pickle.loads(pickle.dumps(segmenter))):
        labels = one(image)
        assert (labels[36:60, 52:76] == labels[48, 64]).all()
        assert (labels[:, :30] == 0).all() and labels[48, 64] > 0


@pytest.mark.parametrize('image, options, error, message', [
    (None, dict(threshold='a'), TypeError, '`threshold` must be a number'),
    (None, dict(threshold=1.5), ValueError, 'at most 1, got 1.5'),
    (None, dict(num_regions=0), ValueError, 'at least 1, got 0'),
    (None, dict(edge_model='gone.yml'), FileNotFoundError, 'opencv_extra'),
    ([[1]], {}, TypeError, 'must be an array of uint8, got list'),
    (np.zeros((4, 4), np.uint8), {}, ValueError, r'got \(4, 4\)'),
    (np.zeros((4, 0, 3), np.uint8), {}, ValueError, 'at least one pixel'),
])
def test_bad_input(image, options, error, message):
    with pytest.raises(error, match=message):
        OverSegmenter(**options)(image)
