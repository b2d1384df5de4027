"""GenerateSuperpixels and GenerateOverSegmentation."""

import pickle

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from skimage import data

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import (
    GenerateOverSegmentation,
    GenerateSuperpixels,
)
from mmhierseg.oversegmentation import OverSegmenter
from mmhierseg.registry import TRANSFORMS
from mmhierseg.superpixels import SEEDS, TorchSLIC

SUPERPIXELS = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(type='SEEDS', segment_size=8))
REGIONS = dict(type='mmhierseg.GenerateOverSegmentation', num_regions=20)


@pytest.fixture
def bgr():
    return np.ascontiguousarray(data.astronaut()[40:104, 160:256, ::-1])


def run(config, image, **options):
    """Image and labels; through pickle, as for workers of a data loader."""
    transform = pickle.loads(
        pickle.dumps(TRANSFORMS.build(dict(config, **options))))
    results = transform(dict(img=image))
    if 'segment_map' in results:
        return results['img'], results['segment_map']
    return results['img'][..., :3], results['img'][..., 3]


def test_superpixels(bgr):
    before = bgr.copy()
    image, labels = run(SUPERPIXELS, bgr)
    assert image.dtype == np.int32
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(bgr, before)
    rgb = torch.from_numpy(bgr[..., ::-1].copy()).permute(2, 0, 1)[None]
    np.testing.assert_array_equal(labels, SEEDS(segment_size=8)(rgb)[0])
    default = GenerateSuperpixels().superpixels
    assert isinstance(default, SEEDS) and default.segment_size == 16


def test_over_segmentation(bgr):
    image, labels = run(REGIONS, bgr)
    assert image is not None and (image == bgr).all()
    expected = OverSegmenter(num_regions=20)(
        np.ascontiguousarray(bgr[..., ::-1]))
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(run(REGIONS, bgr, attach=True)[1], expected)
    results = GenerateOverSegmentation()(
        dict(img=bgr, seg_fields=['gt_seg_map']))
    assert results['seg_fields'] == ['gt_seg_map', 'segment_map']
    default = GenerateOverSegmentation().segmenter
    assert (default.threshold, default.num_regions) == (0.25, 48)


@pytest.mark.parametrize('config', [SUPERPIXELS, REGIONS],
                         ids=lambda config: config['type'])
def test_rgb_and_float_images(config, bgr):
    expected = run(config, bgr)[1]
    image, labels = run(config, bgr[..., ::-1], to_rgb=False)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(image, bgr[..., ::-1])
    image, labels = run(config, bgr.astype(np.float32))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmseg', 'mmengine'])
def test_builds_by_its_scoped_name(scope):
    config = dict(
        SUPERPIXELS, superpixels=dict(type='TorchSLIC', num_segments=9))
    import mmcv.transforms.builder as builder
    with DefaultScope.overwrite_default_scope(scope):
        transform = builder.TRANSFORMS.build(config)
    assert isinstance(transform.superpixels, TorchSLIC)
    assert 'num_segments=9' in repr(transform)
    assert config['superpixels'] == dict(type='TorchSLIC', num_segments=9)


def test_views_of_self_supervised_learning(bgr):
    import mmpretrain.datasets  # noqa: F401
    view = [
        dict(type='RandomResizedCrop', scale=(32, 48)),
        dict(type='RandomFlip', prob=0.5), SUPERPIXELS
    ]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        pipeline = Compose([
            dict(type='MultiView', num_views=[1, 2], transforms=[view, view]),
            dict(type='PackInputs'),
        ])
        packed = pipeline(dict(img=bgr, img_path='a.png'))
    views = packed['inputs']
    assert [tuple(view.shape) for view in views] == [(4, 32, 48)] * 3
    for view in views:
        assert view.dtype == torch.int32
        expected = SEEDS(segment_size=8)(view[None, :3].flip(1).byte())[0]
        assert view[3].equal(expected.int())
    assert not views[1].equal(views[2])


@pytest.mark.parametrize('config', [SUPERPIXELS, REGIONS],
                         ids=lambda config: config['type'])
@pytest.mark.parametrize('picture, error, message', [
    (np.zeros((4, 5), np.uint8), UserError, r'\(H, W, 3\), got \(4, 5\)'),
    (np.zeros((4, 5, 4), np.int32), TypeError, 'uint8 or float32.*got int32'),
    (np.zeros((4, 5, 4), np.uint8), UserError, 'transparency'),
    ([np.zeros((4, 5, 3), np.uint8)], TypeError, 'pipeline of each view'),
])
def test_bad_images(config, picture, error, message):
    with pytest.raises(error, match=message):
        run(config, picture)
