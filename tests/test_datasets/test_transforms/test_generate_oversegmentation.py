import pickle

import numpy as np
import pytest
from skimage import data

from mmhierseg.datasets.transforms import GenerateOverSegmentation
from mmhierseg.oversegmentation import OverSegmenter
from mmhierseg.registry import TRANSFORMS


@pytest.fixture(scope='module')
def bgr():
    return np.ascontiguousarray(data.coffee()[::4, ::5, ::-1])


@pytest.fixture(scope='module')
def labels(bgr):
    return OverSegmenter(num_regions=20)(np.ascontiguousarray(bgr[..., ::-1]))


def build(**options):
    return TRANSFORMS.build(
        dict(
            type='mmhierseg.GenerateOverSegmentation',
            num_regions=20,
            **options))


def test_map_is_carried_along(bgr, labels):
    results = build()(dict(img=bgr, seg_fields=['gt_seg_map']))
    assert results['img'] is bgr
    assert np.array_equal(results['segment_map'], labels)
    assert results['seg_fields'] == ['gt_seg_map', 'segment_map']


def test_map_is_attached(bgr, labels):
    results = build(attach=True)(dict(img=bgr))
    assert np.array_equal(results['img'][..., :3], bgr)
    assert np.array_equal(results['img'][..., 3], labels)
    assert 'segment_map' not in results


def test_rgb_and_float_images(bgr, labels):
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    found = build(to_rgb=False)(dict(img=rgb))['segment_map']
    assert np.array_equal(found, labels)
    found = build()(dict(img=bgr.astype(np.float32) + 0.3))['segment_map']
    assert np.array_equal(found, labels)


def test_defaults_are_hsgs():
    segmenter = GenerateOverSegmentation().segmenter
    assert (segmenter.threshold, segmenter.num_regions) == (0.25, 48)
    assert 'num_regions=48' in repr(GenerateOverSegmentation())


def test_sent_to_a_worker(bgr, labels):
    transform = pickle.loads(pickle.dumps(build()))
    assert np.array_equal(transform(dict(img=bgr))['segment_map'], labels)


def test_bad_input(bgr):
    with pytest.raises(ValueError, match='from 0 to 1, got 2'):
        GenerateOverSegmentation(threshold=2)
    with pytest.raises(TypeError, match='must be an array, got list'):
        build()(dict(img=[bgr, bgr]))
    with pytest.raises(ValueError, match='carries a segment map already'):
        build()(build(attach=True)(dict(img=bgr.astype(np.float32))))
