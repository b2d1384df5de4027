import pickle

import numpy as np
import pytest
import torch
from helpers.contours import FOREST
from skimage import data

from mmhierseg.datasets import PartWholeScenes
from mmhierseg.evaluation.functional import achievable_segmentation_accuracy
from mmhierseg.oversegmentation import OverSegmenter
from mmhierseg.superpixels import Grid


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


@pytest.mark.parametrize('size', [(1, 1), (1, 8), (8, 1), (2, 2), (40, 57)])
def test_small_and_uniform_images(size):
    image = np.full((*size, 3), (13, 130, 220), dtype=np.uint8)
    for options in (dict(), dict(threshold=0.), dict(num_regions=20)):
        labels = OverSegmenter(**options)(image)
        assert labels.shape == size and (labels == 0).all()
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    labels = OverSegmenter(num_regions=3)(image)
    assert labels.shape == size and 0 <= labels.max() < 3


def test_options_alone_and_together():
    image = data.chelsea()[::2, ::2]

    def count(**options):
        return OverSegmenter(**options)(image).max() + 1

    # HSG's options if none is given.
    assert count() == count(threshold=0.25, num_regions=48)
    assert count(num_regions=90) == 90 and count(threshold=0.05) > 48
    assert count(threshold=0.05, num_regions=48) == 48
    assert count(threshold=0.25) == count(threshold=0.25, num_regions=500)


def test_better_than_squares():
    """On scenes, the same number of squares is much worse."""
    scenes = PartWholeScenes(num_scenes=3, size=(96, 120), seed=2)
    segmenter, ours, squares = OverSegmenter(num_regions=48), [], []
    for scene in scenes:
        image = np.ascontiguousarray(scene['img'][..., ::-1])
        labels = segmenter(image)
        grid = Grid(num_segments=labels.max() + 1)(
            torch.from_numpy(image).permute(2, 0, 1)[None])[0].numpy()
        for truth in (scene['gt_object_map'], scene['gt_part_map']):
            ours.append(achievable_segmentation_accuracy(labels, truth))
            squares.append(achievable_segmentation_accuracy(grid, truth))
    assert np.mean(ours) > np.mean(squares) + 0.05


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


@pytest.mark.parametrize('options, error, message', [
    (dict(threshold='a'), TypeError, '`threshold` must be a number'),
    (dict(num_regions=4.5), TypeError, '`num_regions` must be an integer'),
    (dict(threshold=1.5), ValueError, 'at most 1, got 1.5'),
    (dict(num_regions=0), ValueError, 'at least 1, got 0'),
    (dict(edge_model='gone.yml'), FileNotFoundError, "'gone.yml'"),
])
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        OverSegmenter(**options)
