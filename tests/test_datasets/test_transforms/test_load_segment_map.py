import io

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import LoadSegmentMap
from mmhierseg.datasets.transforms.load_segment_map import (
    decode_segment_map,
    encode_segment_map,
)

LABELS = np.arange(12 * 20).reshape(12, 20)


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
    for content, expected in (
        (encode(LABELS.astype(np.uint8)), LABELS),
        (encode(LABELS.astype(np.uint8), 'P', transparency=3), LABELS),
        (encode(LABELS % 2 == 1), LABELS % 2),
    ):
        labels = decode_segment_map(content, 'a.png')
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, expected)
    grey, colour = LABELS.astype(np.uint8), np.zeros((2, 3, 3), np.uint8)
    for content, message in (
        (b'text', "segment map 'a.png' cannot be read .*replace"),
        (encode(LABELS.astype(np.uint16))[:-60], "'a.png' cannot be read"),
        (encode(grey, kind='JPEG'), "'a.png' must be a PNG, .* got JPEG"),
        (encode(colour, 'RGBA'), "has pixels of mode 'RGBA'"),
    ):
        with pytest.raises(UserError, match=message):
            decode_segment_map(content, 'a.png')


@pytest.mark.parametrize('highest, mode', [
    (0, 'L'), (255, 'L'), (256, 'I;16'), (65535, 'I;16'), (65536, 'RGB'),
    (2**24 - 1, 'RGB')
])
def test_round_trip(highest, mode):
    """In as few bits as possible."""
    labels = np.random.default_rng(0).integers(0, highest + 1, (13, 22))
    labels[2, 3] = highest
    for array in (labels, labels[::2, ::-3], labels.T.astype(np.uint32)):
        content = encode_segment_map(array)
        np.testing.assert_array_equal(
            decode_segment_map(content, 'a.png'), array)
        pixels = np.asarray(Image.open(io.BytesIO(content)))
    assert Image.open(io.BytesIO(content)).mode == mode
    if highest >= 2**16:
        np.testing.assert_array_equal(pixels @ [1, 256, 65536], labels.T)
    for bad in (labels - highest - 1, labels + 2**24):
        with pytest.raises(ValueError, match='must be from 0 to 16777215'):
            encode_segment_map(bad)


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
    flat = dict(img_path='deep/a.jpg')
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


def test_options(loaded, tmp_path):
    labels = LoadSegmentMap(ignore_label=7)(dict(loaded))['segment_map']
    np.testing.assert_array_equal(labels, np.where(LABELS == 7, -1, LABELS))
    path = tmp_path / 'void.png'
    path.write_bytes(encode(np.full((12, 20), 255, dtype=np.uint8)))
    with pytest.raises(
            UserError,
            match=r"void.png' has no segment: .*`ignore_label` 255.*remove"):
        LoadSegmentMap(ignore_label=255)(
            dict(loaded, segment_map_path=str(path)))
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


@pytest.mark.parametrize('scope, attach, transforms', [
    ('mmseg', False, [dict(type='RandomFlip', prob=1., direction='vertical')]),
    ('mmseg', False, [
        dict(type='RandomResize', scale=(40, 24), ratio_range=(0.5, 2.),
             **NEAREST),
        dict(type='RandomCrop', crop_size=(9, 13)),
        dict(type='RandomFlip', prob=0.5),
    ]),
    ('mmseg', False, [
        dict(type='RandomChoiceResize', scales=[(30, 18), (50, 30)],
             resize_type='Resize', **NEAREST)
    ]),
    ('mmpretrain', True, []),
])
def test_carried_to_the_model(loaded, scope, attach, transforms):
    """Image and map show the same labels, so they must stay in step."""
    import mmpretrain.datasets  # noqa: F401
    import mmseg.datasets  # noqa: F401
    np.random.seed(3)
    pack = dict(mmseg='PackSegInputs', mmpretrain='PackInputs')[scope]
    attached = [] if attach else [dict(type='mmhierseg.AttachSegmentMap')]
    with DefaultScope.overwrite_default_scope(scope):
        packed = Compose([
            dict(type='mmhierseg.LoadSegmentMap', attach=attach), *transforms,
            *attached,
            dict(type=pack)
        ])(loaded)
    inputs = packed['inputs']
    assert inputs.size(0) == 4 and inputs.is_contiguous()
    assert inputs[3].equal(inputs[0])
    if scope == 'mmseg':
        truth = packed['data_samples'].gt_sem_seg.data[0]
        assert inputs[3].equal(truth.int())
