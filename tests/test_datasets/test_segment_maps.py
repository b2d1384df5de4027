"""Maps of segments from PNGs or made in the pipeline, up to the model."""

import io
import pickle

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose, RandomFlip
from mmengine.registry import DefaultScope
from PIL import Image
from skimage import data

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import (
    AttachSegmentMap,
    LoadSegmentMap,
)
from mmhierseg.datasets.transforms.attach import attach_segment_map
from mmhierseg.datasets.transforms.load_segment_map import (
    decode_segment_map,
    encode_segment_map,
)
from mmhierseg.oversegmentation import OverSegmenter
from mmhierseg.registry import TRANSFORMS
from mmhierseg.superpixels import SEEDS

LABELS = np.arange(12 * 20).reshape(12, 20)
IMAGE = np.repeat(LABELS[..., None], 3, axis=2).astype(np.uint8)


def encode(array, mode=None, kind='PNG', **options):
    buffer = io.BytesIO()
    image = Image.fromarray(array)
    if mode == 'P':
        # Colours in reverse: the labels are the indices.
        image.putpalette(
            np.arange(767, -1, -1).clip(0, 255).astype(np.uint8).tobytes())
    elif mode is not None:
        image = image.convert(mode)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_decode():
    """What other programs write, HSG's authors' files among them."""
    grey = LABELS.astype(np.uint8)
    for content, expected in ((encode(grey), LABELS),
                              (encode(grey, 'P', transparency=3), LABELS),
                              (encode(LABELS % 2 == 1), LABELS % 2)):
        labels = decode_segment_map(content, 'a.png')
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, expected)
    for content, message in (
        (b'text', "segment map 'a.png' cannot be read .*replace"),
        (encode(LABELS.astype(np.uint16))[:-60], "'a.png' cannot be read"),
        (encode(grey, kind='JPEG'), "'a.png' must be a PNG, .* got JPEG"),
        (encode(IMAGE, 'RGBA'), "has pixels of mode 'RGBA'"),
    ):
        with pytest.raises(UserError, match=message):
            decode_segment_map(content, 'a.png')


@pytest.mark.parametrize('highest, mode', [
    (0, 'I;16'), (255, 'I;16'), (65535, 'I;16'), (65536, 'RGB'),
    (2**24 - 1, 'RGB')
])
def test_round_trip(highest, mode):
    """16 bits; every number is a segment, 255 as well."""
    labels = np.random.default_rng(0).integers(0, highest + 1, (13, 22))
    labels[2, 3] = highest
    for array in (labels, labels[::2, ::-3], labels.T.astype(np.uint32)):
        content = encode_segment_map(array)
        np.testing.assert_array_equal(
            decode_segment_map(content, 'a.png'), array)
    image = Image.open(io.BytesIO(content))
    assert image.mode == mode
    if mode == 'RGB':
        np.testing.assert_array_equal(
            np.asarray(image) @ [1, 256, 65536], labels.T)
    for bad in (labels - highest - 1, labels + 2**24):
        with pytest.raises(ValueError, match='must be from 0 to 16777215'):
            encode_segment_map(bad)


@pytest.fixture
def maps(tmp_path):
    """Folder of maps."""
    (tmp_path / 'train').mkdir()
    for name, labels in (('train/a.b_seg', LABELS), ('a', LABELS + 1),
                         ('void', LABELS * 0 + 255)):
        (tmp_path / f'{name}.png').write_bytes(encode_segment_map(labels))
    (tmp_path / 'empty.png').write_bytes(b'')
    return str(tmp_path)


def test_path_of_the_map(maps):
    path = dict(img_path='images/train/a.b.jpg')
    load = LoadSegmentMap(maps, img_prefix='images', suffix='_seg.png')
    np.testing.assert_array_equal(load(dict(path))['segment_map'], LABELS)
    load = LoadSegmentMap(maps)
    for results in (
            load(dict(img_path='deep/a.jpg')),
            # The path of the sample has priority.
            LoadSegmentMap('elsewhere')(
                dict(path, segment_map_path=f'{maps}/a.png'))):
        np.testing.assert_array_equal(results['segment_map'], LABELS + 1)
    for options, message in (
        (dict(map_prefix=maps),
         r"segment map '.*a.b.png' of image '.*a.b.jpg' does not exist: "
         'check .*generate_oversegmentation.py .*--resume'),
        (dict(), '`map_prefix` is None: give'),
        (dict(img_prefix='images'), '`img_prefix` needs `map_pre'),
        (dict(map_prefix=maps, img_prefix='val'), 'a.b.jpg. is not in `img_'),
    ):
        with pytest.raises(UserError, match=message):
            LoadSegmentMap(**options)(dict(path))


def loaded(maps):
    """Results of a pipeline after loading; the image shows its labels."""
    return dict(
        img=IMAGE,
        img_path='train/a.b.jpg',
        img_shape=(12, 20),
        ori_shape=(12, 20),
        segment_map_path=f'{maps}/train/a.b_seg.png',
        gt_seg_map=LABELS.astype(np.uint8),
        seg_fields=['gt_seg_map'])


def test_options(maps):
    labels = LoadSegmentMap(ignore_label=7)(loaded(maps))['segment_map']
    np.testing.assert_array_equal(labels, np.where(LABELS == 7, -1, LABELS))
    results = LoadSegmentMap()(loaded(maps))
    assert results['seg_fields'] == ['gt_seg_map', 'segment_map']
    results = AttachSegmentMap()(results)
    for found in (results, LoadSegmentMap(attach=True)(loaded(maps))):
        np.testing.assert_array_equal(found['img'][..., 3], LABELS)
        assert 'segment_map' not in found
        assert found['seg_fields'] == ['gt_seg_map']
    for name, message in (
        ('void', "void.png' has no segment: .*`ignore_label` 255.*remove"),
        ('empty', 'empty.png.*it is empty')):
        with pytest.raises(UserError, match=message):
            LoadSegmentMap(maps, ignore_label=255)(dict(img_path=name))
    with pytest.raises(UserError,
                       match=r'a.b_seg.png. is 12 x 20 .*a.b.jpg. 12 x 19'):
        LoadSegmentMap()(dict(loaded(maps), img=IMAGE[:, :-1]))


@pytest.mark.parametrize('scope, transforms', [
    ('mmseg', [
        dict(type='RandomResize', scale=(40, 24), ratio_range=(0.5, 2.),
             interpolation='nearest', keep_ratio=True),
        dict(type='RandomCrop', crop_size=(9, 13)),
        dict(type='RandomFlip', prob=1., direction='vertical'),
    ]),
    ('mmpretrain', []),
])
def test_carried_to_the_model(maps, scope, transforms):
    """Image and map show the same labels, so they must stay in step."""
    import mmpretrain.datasets  # noqa: F401
    import mmseg.datasets  # noqa: F401
    np.random.seed(3)
    pack = dict(mmseg='PackSegInputs', mmpretrain='PackInputs')[scope]
    with DefaultScope.overwrite_default_scope(scope):
        packed = Compose([
            dict(type='mmhierseg.LoadSegmentMap'), *transforms,
            dict(type='mmhierseg.AttachSegmentMap'),
            dict(type=pack)
        ])(loaded(maps))
    inputs = packed['inputs']
    assert inputs.size(0) == 4 and inputs.is_contiguous()
    assert inputs[3].equal(inputs[0])
    if scope == 'mmseg':
        truth = packed['data_samples'].gt_sem_seg.data[0]
        assert inputs[3].equal(truth.int())


@pytest.mark.parametrize('dtype, expected', [(np.uint8, np.int32),
                                             (np.float32, np.float32)])
def test_attached_channels_are_exact(dtype, expected):
    image = IMAGE.astype(dtype)
    for labels in (LABELS.astype(np.uint8), LABELS,
                   LABELS.reshape(20, 12).T):
        both = attach_segment_map(image, labels)
        assert both.dtype == expected and both.flags.c_contiguous
        np.testing.assert_array_equal(both[..., :3], IMAGE)
        np.testing.assert_array_equal(both[..., 3], labels)
    limits = np.array([[2**24 - 1, -1, -7, 0, 1]])
    both = attach_segment_map(image[:1, :5], limits)
    assert both[0, :, 3].tolist() == [2**24 - 1, -1, -1, 0, 1]
    with pytest.raises(UserError, match='below 16777216.*got 16777216'):
        attach_segment_map(image[:1, :5], limits + 1)


@pytest.mark.parametrize('image, labels, error, message', [
    (IMAGE, LABELS[1:], UserError, r'\(11, 20\) but the image \(12, 20\).*se'),
    (IMAGE, LABELS / 2, TypeError, 'integers, got float64'),
    (IMAGE / 2, LABELS, TypeError, 'got float64'),
    ([IMAGE], LABELS, TypeError, 'got list.*MultiView'),
    (IMAGE[..., 0], LABELS, UserError, r'\(H, W, 3\), got \(12, 20\)'),
    (IMAGE[..., [0, 1, 2, 0]], LABELS, UserError, 'carries a segment map'),
])
def test_bad_input(image, labels, error, message):
    with pytest.raises(error, match=message):
        AttachSegmentMap()(dict(img=image, segment_map=labels))
    with pytest.raises(UserError, match='LoadSegmentMap'):
        AttachSegmentMap()(dict(img=IMAGE))
    # MMCV's flip leaves the map behind without changing sizes.
    results = dict(img=IMAGE, segment_map=LABELS)
    AttachSegmentMap()(RandomFlip(prob=0.)(dict(results)))
    with pytest.raises(UserError, match='flipped but not its segment'):
        AttachSegmentMap()(RandomFlip(prob=1.)(dict(results)))


SUPERPIXELS = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(type='SEEDS', segment_size=8))
REGIONS = dict(type='mmhierseg.GenerateOverSegmentation', num_regions=20)


def run(config, image, **options):
    """Image and labels; through pickle, as for workers of a data loader."""
    transform = pickle.loads(
        pickle.dumps(TRANSFORMS.build(dict(config, **options))))
    results = transform(dict(img=image))
    if 'segment_map' in results:
        return results['img'], results['segment_map']
    return results['img'][..., :3], results['img'][..., 3]


@pytest.mark.parametrize('config', [SUPERPIXELS, REGIONS],
                         ids=lambda config: config['type'])
def test_generated_labels_are_those_of_the_method(config):
    """Images are BGR or RGB, uint8 or float32, and stay as they are."""
    rgb = np.ascontiguousarray(data.astronaut()[40:104, 160:256])
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    expected = (OverSegmenter(num_regions=20)(rgb) if config is REGIONS else
                SEEDS(segment_size=8)(tensor)[0])
    cases = [(bgr, {}), (rgb, dict(to_rgb=False)),
             (bgr.astype(np.float32), {})]
    if config is REGIONS:
        cases.append((bgr, dict(attach=True)))
    for image, options in cases:
        before = image.copy()
        found, labels = run(config, image, **options)
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_array_equal(found, before)
        np.testing.assert_array_equal(image, before)
    with pytest.raises(UserError, match=r'\(H, W, 3\), got \(64, 96\)'):
        run(config, bgr[..., 0])
