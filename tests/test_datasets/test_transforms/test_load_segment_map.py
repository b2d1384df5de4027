import io

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import AttachSegmentMap, LoadSegmentMap
from mmhierseg.datasets.transforms.load_segment_map import (
    decode_segment_map,
    encode_segment_map,
)

LABELS = np.arange(12 * 20).reshape(12, 20)


def encode(array, mode=None, kind='PNG', **options):
    buffer = io.BytesIO()
    image = Image.fromarray(array)
    if mode is not None:
        image = image.convert(mode)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rgb_coded(labels):
    return np.stack([labels % 256, labels // 256 % 256, labels // 65536],
                    axis=2).astype(np.uint8)


def palette():
    image = Image.fromarray(LABELS.astype(np.uint8), 'P')
    # Colours in reverse: the labels are the indices.
    colours = np.arange(767, -1, -1).clip(0, 255).astype(np.uint8)
    image.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, 'PNG', transparency=3)
    return buffer.getvalue()


@pytest.mark.parametrize('content, expected', [
    (encode(LABELS.astype(np.uint8)), LABELS),
    (encode((LABELS * 250).astype(np.uint16)), LABELS * 250),
    (palette(), LABELS),
    (encode(rgb_coded(LABELS * 70000)), LABELS * 70000),
    (encode(LABELS % 2 == 1), LABELS % 2),
])
def test_decode(content, expected):
    labels = decode_segment_map(content, 'a.png')
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize('content, message', [
    (b'text', "segment map 'a.png' cannot be read .*replace"),
    (encode(LABELS.astype(np.uint16))[:-60], "'a.png' cannot be read .*rep"),
    (encode(LABELS.astype(np.uint8), kind='JPEG'),
     "'a.png' must be a PNG, .* got JPEG"),
    (encode(rgb_coded(LABELS), 'RGBA'), "has pixels of mode 'RGBA'"),
    (encode(rgb_coded(LABELS), 'LA'), "has pixels of mode 'LA'"),
])
def test_files_that_are_no_segment_maps(content, message):
    with pytest.raises(UserError, match=message):
        decode_segment_map(content, 'a.png')


@pytest.mark.parametrize('highest, mode', [
    (0, 'L'), (255, 'L'), (256, 'I;16'), (65535, 'I;16'), (65536, 'RGB'),
    (2**24 - 1, 'RGB')
])
def test_round_trip(highest, mode):
    """In as few bits as possible."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, highest + 1, (13, 22))
    labels[2, 3] = highest
    for array in (labels, labels.T, labels[::2, ::-3],
                  labels.astype(np.int32), labels.astype(np.uint32)):
        content = encode_segment_map(array)
        np.testing.assert_array_equal(
            decode_segment_map(content, 'a.png'), array)
    with Image.open(io.BytesIO(encode_segment_map(labels))) as image:
        assert image.mode == mode and image.size == (22, 13)


def test_labels_that_cannot_be_encoded():
    for labels, error, message in (
        ([[0]], TypeError, 'an array of integers, got list'),
        (np.zeros((2, 2)), TypeError, 'of integers, got float64'),
        (LABELS[..., None], ValueError, r'\(H, W\) .*\(12, 20, 1\)'),
        (LABELS[:0], ValueError, 'at least one pixel'),
        (LABELS - 1, ValueError, 'got -1 to 238'),
        (LABELS + 2**24, ValueError, r'2\^24 - 1\), got 16777216 to'),
    ):
        with pytest.raises(error, match=message):
            encode_segment_map(labels)


@pytest.fixture
def folders(tmp_path):
    """Images and maps in two trees; returns their roots."""
    images, maps = tmp_path / 'images', tmp_path / 'maps'
    (maps / 'train').mkdir(parents=True)
    (maps / 'train' / 'a.b_seg.png').write_bytes(
        encode(LABELS.astype(np.uint16)))
    (maps / 'a.png').write_bytes(encode((LABELS + 1).astype(np.uint16)))
    return images, maps


def test_path_of_the_map(folders):
    images, maps = folders
    path = dict(img_path=str(images / 'train' / 'a.b.jpg'))
    load = LoadSegmentMap(
        map_prefix=str(maps), img_prefix=str(images), suffix='_seg.png')
    np.testing.assert_array_equal(load(dict(path))['segment_map'], LABELS)
    load = LoadSegmentMap(map_prefix=str(maps))
    flat = dict(img_path=str(images / 'deep' / 'a.jpg'))
    np.testing.assert_array_equal(load(flat)['segment_map'], LABELS + 1)
    # The path of the sample has priority.
    results = LoadSegmentMap(map_prefix='elsewhere')(
        dict(path, segment_map_path=str(maps / 'a.png')))
    np.testing.assert_array_equal(results['segment_map'], LABELS + 1)
    (maps / 'empty.png').write_bytes(b'')
    for options, message in (
        (dict(map_prefix=str(maps)),
         r"segment map '.*a.b.png' of image '.*a.b.jpg' does not exist: "
         'check .*generate_oversegmentation.py .*--resume'),
        (dict(), '`map_prefix` is None: give'),
        (dict(img_prefix='images'), '`img_prefix` needs `map_pre'),
        (dict(map_prefix=str(maps), img_prefix=str(images / 'val')),
         'a.b.jpg. is not in `img_pre'),
    ):
        with pytest.raises(UserError, match=message):
            LoadSegmentMap(**options)(dict(path))
    with pytest.raises(UserError, match=r'empty.png.*it is empty'):
        load(dict(img_path='empty.jpg'))


@pytest.fixture
def loaded(folders):
    """Results of a pipeline after loading; the image shows its labels."""
    _, maps = folders
    image = np.repeat(LABELS[..., None], 3, axis=2).astype(np.uint8)
    return dict(
        img=image,
        img_path='a.jpg',
        img_shape=image.shape[:2],
        ori_shape=image.shape[:2],
        segment_map_path=str(maps / 'train' / 'a.b_seg.png'),
        gt_seg_map=LABELS.astype(np.uint8),
        seg_fields=['gt_seg_map'])


def test_ignore_label(loaded, tmp_path):
    labels = LoadSegmentMap(ignore_label=7)(dict(loaded))['segment_map']
    np.testing.assert_array_equal(labels == -1, LABELS == 7)
    np.testing.assert_array_equal(labels[labels >= 0], LABELS[LABELS != 7])
    path = tmp_path / 'void.png'
    path.write_bytes(encode(np.full((12, 20), 255, dtype=np.uint8)))
    loaded['segment_map_path'] = str(path)
    assert (LoadSegmentMap()(dict(loaded))['segment_map'] == 255).all()
    with pytest.raises(
            UserError,
            match=r"void.png' has no segment: .*`ignore_label` 255.*remove"):
        LoadSegmentMap(ignore_label=255)(loaded)


def test_attach(loaded):
    fields = loaded['seg_fields']
    results = LoadSegmentMap()(dict(loaded))
    assert results['seg_fields'] == ['gt_seg_map', 'segment_map']
    assert fields == ['gt_seg_map']
    results = LoadSegmentMap(attach=True)(dict(loaded))
    np.testing.assert_array_equal(results['img'][..., 3], LABELS)
    assert 'segment_map' not in results
    assert results['seg_fields'] == ['gt_seg_map']
    loaded['img'] = loaded['img'][:, :-1]
    with pytest.raises(UserError,
                       match=r'a.b_seg.png. is 12 x 20 .*a.jpg. 12 x 19'):
        LoadSegmentMap()(loaded)


NEAREST = dict(interpolation='nearest', keep_ratio=True)


@pytest.mark.parametrize('transforms', [
    [dict(type='RandomFlip', prob=1., direction='vertical')],
    [dict(type='Resize', scale=(40, 24), **NEAREST)],
    [
        dict(type='RandomResize', scale=(40, 24), ratio_range=(0.5, 2.),
             **NEAREST),
        dict(type='RandomCrop', crop_size=(9, 13)),
        dict(type='RandomFlip', prob=0.5),
    ],
    [
        dict(type='RandomChoiceResize', scales=[(30, 18), (50, 30)],
             resize_type='Resize', **NEAREST)
    ],
])
def test_carried_by_the_transforms_of_mmseg(loaded, transforms):
    """Image and map show the same labels, so they must stay in step."""
    import mmseg.datasets  # noqa: F401
    np.random.seed(3)
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = Compose([
            dict(type='mmhierseg.LoadSegmentMap'), *transforms,
            dict(type='mmhierseg.AttachSegmentMap'),
            dict(type='PackSegInputs')
        ])
        packed = pipeline(loaded)
    inputs, sample = packed['inputs'], packed['data_samples']
    assert inputs.size(0) == 4 and inputs.is_contiguous()
    assert inputs[3].equal(inputs[0])
    assert inputs[3].equal(sample.gt_sem_seg.data[0].int())
    if transforms[0]['type'] == 'RandomFlip':
        assert sample.flip


def test_other_toolboxes(loaded):
    """MMPretrain packs the map; MMCV's transforms leave it behind."""
    import mmpretrain.datasets  # noqa: F401
    from mmcv.transforms import Resize
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        pipeline = Compose([
            dict(type='mmhierseg.LoadSegmentMap', attach=True),
            dict(type='PackInputs')
        ])
        inputs = pipeline(dict(loaded))['inputs']
    assert inputs.shape == (4, 12, 20)
    np.testing.assert_array_equal(inputs[3], LABELS)
    results = Resize(scale=(40, 24))(LoadSegmentMap()(loaded))
    with pytest.raises(UserError, match=r'\(12, 20\) but the image \(24, 40'):
        AttachSegmentMap()(results)
