import numpy as np
import pytest

from benchmarks.images import make_scenes
from benchmarks.segment_size import (
    best_labelling,
    measure,
    post_width,
    training_bytes,
)
from mmhierseg.datasets.scenes import class_names
from mmhierseg.evaluation.functional import region_miou

POLE = class_names(num_poles=1).index('pole')


@pytest.fixture(scope='module')
def scenes():
    return make_scenes(3, 96, num_poles=2)


def test_best_labelling_agrees_with_the_metric(scenes):
    classes = scenes[0].semantic
    segments = np.arange(96)[:, None] // 8 * 12 + np.arange(96) // 8
    found = best_labelling(segments, classes)
    confusion = np.zeros((14, 14), dtype=int)
    np.add.at(confusion, (classes, found), 1)
    # On ties both take the smaller class.
    assert np.array_equal(confusion, region_miou(segments, classes, 14))


def test_smaller_segments_keep_more_of_the_poles(scenes):
    recall = [measure(scenes, 'TorchSLIC', size)['pole recall']
              for size in (4, 8, 16)]
    assert 1 > recall[0] > recall[1] > recall[2]
    # Single pixels are perfect.
    result = measure(scenes, 'Grid', 1)
    assert result.pop('segments') == 96 * 96
    assert set(result.values()) == {1.}


def test_post_width_of_known_runs(scenes):
    parts = np.zeros((4, 9), dtype=int)
    post = scenes[0].parts[scenes[0].semantic == POLE].min()
    # Runs of 2 and 5, 5, 5, 5; one begins at the border.
    parts[:, 3:8] = parts[0, 0:2] = post
    assert post_width([type(scenes[0])(
        scenes[0].image, parts, parts, parts, 0)]) == 5


@pytest.mark.slow
def test_memory_grows_with_maps_and_segments():
    arch = dict(embed_dims=48, depths=(2, 1, 1, 1), num_heads=4)
    found = [
        training_bytes(size, stride, False, arch, img_size=128)
        for size, stride in ((16, 8), (16, 4), (8, 8))
    ]
    # Four maps of 48 channels, with four times the cells.
    assert found[1] - found[0] > 4 * 4 * 48 * 3 * 16**2
    assert found[2] > found[0]
