import pickle

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from skimage import data

from mmhierseg.datasets.transforms import GenerateSuperpixels
from mmhierseg.registry import TRANSFORMS
from mmhierseg.superpixels import SEEDS, TorchSLIC


@pytest.fixture
def bgr():
    return np.ascontiguousarray(data.astronaut()[40:104, 160:256, ::-1])


def as_tensor(rgb):
    return torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None]


def test_is_the_method_on_the_rgb_image(bgr):
    before = bgr.copy()
    results = GenerateSuperpixels(
        dict(type='SEEDS', segment_size=8))(dict(img=bgr))
    assert results['img'].shape == (64, 96, 4)
    assert results['img'].dtype == np.int32
    np.testing.assert_array_equal(results['img'][..., :3], before)
    np.testing.assert_array_equal(bgr, before)
    expected = SEEDS(segment_size=8)(as_tensor(bgr[..., ::-1]))[0]
    np.testing.assert_array_equal(results['img'][..., 3], expected)


def test_rgb_pipelines(bgr):
    config = dict(type='TorchSLIC', segment_size=8)
    from_bgr = GenerateSuperpixels(config)(dict(img=bgr))
    from_rgb = GenerateSuperpixels(
        config, to_rgb=False)(dict(img=bgr[..., ::-1]))
    np.testing.assert_array_equal(from_bgr['img'][..., 3],
                                  from_rgb['img'][..., 3])
    np.testing.assert_array_equal(from_rgb['img'][..., :3], bgr[..., ::-1])


def test_float_images(bgr):
    transform = GenerateSuperpixels(dict(type='TorchSLIC', segment_size=8))
    found = transform(dict(img=bgr.astype(np.float32)))['img']
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, transform(dict(img=bgr))['img'])


def test_default_is_seeds():
    method = GenerateSuperpixels().superpixels
    assert isinstance(method, SEEDS) and method.segment_size == 16


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmseg', 'mmengine'])
def test_builds_by_its_scoped_name(scope):
    config = dict(
        type='mmhierseg.GenerateSuperpixels',
        superpixels=dict(type='TorchSLIC', num_segments=9))
    import mmcv.transforms.builder as builder
    with DefaultScope.overwrite_default_scope(scope):
        transform = builder.TRANSFORMS.build(config)
    assert isinstance(transform.superpixels, TorchSLIC)
    assert 'num_segments=9' in repr(transform)
    assert config['superpixels'] == dict(type='TorchSLIC', num_segments=9)
    assert TRANSFORMS.get('GenerateSuperpixels') is GenerateSuperpixels


def test_pickles_for_data_loader_workers(bgr):
    transform = GenerateSuperpixels(dict(type='SEEDS', segment_size=8))
    copy = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(
        copy(dict(img=bgr))['img'],
        transform(dict(img=bgr))['img'])


def test_views_of_self_supervised_learning(bgr):
    import mmpretrain.datasets  # noqa: F401
    view = [
        dict(type='RandomResizedCrop', scale=(32, 48)),
        dict(type='RandomFlip', prob=0.5),
        dict(
            type='mmhierseg.GenerateSuperpixels',
            superpixels=dict(type='SEEDS', segment_size=8)),
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


@pytest.mark.parametrize('picture, error, message', [
    (np.zeros((4, 5), np.uint8), ValueError, r'\(H, W, 3\), got \(4, 5\)'),
    (np.zeros((4, 5, 4), np.int32), TypeError, 'uint8 or float32.*got int32'),
    (np.zeros((4, 5, 4), np.uint8), ValueError, 'transparency'),
    ([np.zeros((4, 5, 3), np.uint8)], TypeError, 'pipeline of each view'),
])
def test_bad_images(picture, error, message):
    with pytest.raises(error, match=message):
        GenerateSuperpixels()(dict(img=picture))
