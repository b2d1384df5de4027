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
from mmhierseg.superpixels import SEEDS

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


def method_of(config):
    if config is REGIONS:
        return OverSegmenter(num_regions=20)
    seeds = SEEDS(segment_size=8)
    return lambda rgb: seeds(torch.from_numpy(rgb).permute(2, 0, 1)[None])[0]


@pytest.mark.parametrize('config', [SUPERPIXELS, REGIONS],
                         ids=lambda config: config['type'])
def test_labels_are_those_of_the_method(config, bgr):
    """Images are BGR or RGB, uint8 or float32, and stay as they are."""
    before = bgr.copy()
    image, labels = run(config, bgr)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(bgr, before)
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    np.testing.assert_array_equal(labels, method_of(config)(rgb))
    image, found = run(config, rgb, to_rgb=False)
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(image, rgb)
    image, found = run(config, bgr.astype(np.float32))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(found, labels)
    with pytest.raises(UserError, match=r'\(H, W, 3\), got \(64, 96\)'):
        run(config, bgr[..., 0])
    if config is REGIONS:
        found = run(config, bgr, attach=True)[1]
        np.testing.assert_array_equal(found, labels)


def test_defaults():
    seeds = GenerateSuperpixels().superpixels
    assert isinstance(seeds, SEEDS) and seeds.segment_size == 16
    assert 'segment_size=16' in repr(GenerateSuperpixels())
    hsg = GenerateOverSegmentation().segmenter
    assert (hsg.threshold, hsg.num_regions) == (0.25, 48)


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
