import io

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from PIL import Image

from mmhierseg.datasets.transforms import AttachSegmentMap, LoadSegmentMap
from mmhierseg.datasets.transforms.segment_map_png import decode_segment_map

LABELS = np.arange(12 * 20).reshape(12, 20)


def png(array, mode=None, **options):
    buffer = io.BytesIO()
    image = Image.fromarray(array)
    if mode is not None:
        image = image.convert(mode)
    image.save(buffer, 'PNG', **options)
    return buffer.getvalue()


def rgb_coded(labels):
    return np.stack([labels % 256, labels // 256 % 256, labels // 65536],
                    axis=2).astype(np.uint8)


def palette():
    image = Image.fromarray(LABELS.astype(np.uint8), 'P')
    # Colours in reverse: it is the index that counts.
    colours = np.arange(767, -1, -1).clip(0, 255).astype(np.uint8)
    image.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, 'PNG', transparency=3)
    return buffer.getvalue()


@pytest.mark.parametrize('content, expected', [
    (png(LABELS.astype(np.uint8)), LABELS),
    (png((LABELS * 250).astype(np.uint16)), LABELS * 250),
    (palette(), LABELS),
    (png(rgb_coded(LABELS * 70000)), LABELS * 70000),
    (png(rgb_coded(np.full((2, 3), 2**24 - 1))), np.full((2, 3), 2**24 - 1)),
    (png(LABELS % 2 == 1), LABELS % 2),
])
def test_decode(content, expected):
    labels = decode_segment_map(content, 'a.png')
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize('content', [
    b'text', png(LABELS.astype(np.uint16))[:-60],
    png(LABELS.astype(np.uint16))[:20]
])
def test_unreadable(content):
    with pytest.raises(
            ValueError, match=r"segment map 'a.png' cannot be read .*replace"):
        decode_segment_map(content, 'a.png')


def test_lossy_files_are_no_maps():
    buffer = io.BytesIO()
    Image.fromarray(LABELS.astype(np.uint8)).save(buffer, 'JPEG')
    with pytest.raises(ValueError, match="'a.jpg' must be a PNG, .* got JPEG"):
        decode_segment_map(buffer.getvalue(), 'a.jpg')


@pytest.mark.parametrize('mode', ['RGBA', 'LA'])
def test_pixels_that_are_no_labels(mode):
    content = png(rgb_coded(LABELS), mode)
    with pytest.raises(
            ValueError, match=f"'a.png' has pixels of mode '{mode}'"):
        decode_segment_map(content, 'a.png')


@pytest.fixture
def folders(tmp_path):
    """Images and maps in two trees; returns their roots."""
    images, maps = tmp_path / 'images', tmp_path / 'maps'
    (maps / 'train').mkdir(parents=True)
    (maps / 'train' / 'a.b_seg.png').write_bytes(
        png(LABELS.astype(np.uint16)))
    (maps / 'a.png').write_bytes(png((LABELS + 1).astype(np.uint16)))
    return images, maps


def sample(images, **more):
    return dict(img_path=str(images / 'train' / 'a.b.jpg'), **more)


class TestFinding:

    def test_by_prefix_and_suffix(self, folders):
        images, maps = folders
        transform = LoadSegmentMap(
            map_prefix=str(maps), img_prefix=str(images), suffix='_seg.png')
        results = transform(sample(images))
        np.testing.assert_array_equal(results['segment_map'], LABELS)

    def test_flat_folder(self, folders):
        images, maps = folders
        results = LoadSegmentMap(map_prefix=str(maps))(
            dict(img_path=str(images / 'deep' / 'a.jpg')))
        np.testing.assert_array_equal(results['segment_map'], LABELS + 1)

    def test_path_of_the_sample_comes_first(self, folders):
        images, maps = folders
        results = LoadSegmentMap(map_prefix='elsewhere')(
            sample(images, segment_map_path=str(maps / 'a.png')))
        np.testing.assert_array_equal(results['segment_map'], LABELS + 1)

    def test_missing(self, folders):
        images, maps = folders
        with pytest.raises(
                FileNotFoundError,
                match=r"segment map '.*a.b.png' of image '.*a.b.jpg' does "
                r'not exist: check .*generate_oversegmentation.py .*--resume'
        ):
            LoadSegmentMap(map_prefix=str(maps))(sample(images))

    def test_no_place_given(self, folders):
        with pytest.raises(ValueError, match='`map_prefix` is None: give'):
            LoadSegmentMap()(sample(folders[0]))
        with pytest.raises(ValueError, match='`img_prefix` needs `map_pre'):
            LoadSegmentMap(img_prefix='images')

    def test_image_elsewhere(self, folders):
        images, maps = folders
        transform = LoadSegmentMap(
            map_prefix=str(maps), img_prefix=str(images / 'val'))
        with pytest.raises(ValueError, match='a.b.jpg. is not in `img_pre'):
            transform(sample(images))

    def test_empty_file_names_itself(self, folders):
        images, maps = folders
        (maps / 'a.b.png').write_bytes(b'')
        with pytest.raises(ValueError, match=r'a.b.png.*it is empty'):
            LoadSegmentMap(map_prefix=str(maps))(sample(images))


@pytest.fixture
def loaded(folders):
    """What a pipeline has after loading; the image shows its own labels."""
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


def test_ignore_label(loaded):
    labels = LoadSegmentMap(ignore_label=7)(loaded)['segment_map']
    np.testing.assert_array_equal(labels == -1, LABELS == 7)
    np.testing.assert_array_equal(labels[labels >= 0], LABELS[LABELS != 7])


def test_all_pixels_ignored(loaded, tmp_path):
    path = tmp_path / 'void.png'
    path.write_bytes(png(np.full((12, 20), 255, dtype=np.uint8)))
    loaded['segment_map_path'] = str(path)
    # Any label is one, unless it is said to be none.
    assert (LoadSegmentMap()(dict(loaded))['segment_map'] == 255).all()
    with pytest.raises(
            ValueError,
            match=r"void.png' has no segment: .*`ignore_label` 255.*remove"):
        LoadSegmentMap(ignore_label=255)(loaded)


def test_fields_are_not_edited_in_place(loaded):
    fields = loaded['seg_fields']
    results = LoadSegmentMap()(loaded)
    assert results['seg_fields'] == ['gt_seg_map', 'segment_map']
    assert fields == ['gt_seg_map']


def test_attach_at_once(loaded):
    results = LoadSegmentMap(attach=True)(loaded)
    np.testing.assert_array_equal(results['img'][..., 3], LABELS)
    assert 'segment_map' not in results
    assert results['seg_fields'] == ['gt_seg_map']


def test_size_mismatch_names_both_files(loaded):
    loaded['img'] = loaded['img'][:, :-1]
    with pytest.raises(ValueError,
                       match=r'a.b_seg.png. is 12 x 20 .*a.jpg. 12 x 19'):
        LoadSegmentMap()(loaded)


@pytest.mark.parametrize('transforms', [
    [dict(type='RandomFlip', prob=1.)],
    [dict(type='RandomFlip', prob=1., direction='vertical')],
    [dict(type='RandomCrop', crop_size=(7, 11))],
    [dict(type='Resize', scale=(40, 24), interpolation='nearest')],
    [
        dict(
            type='RandomResize',
            scale=(40, 24),
            ratio_range=(0.5, 2.),
            interpolation='nearest',
            keep_ratio=True),
        dict(type='RandomCrop', crop_size=(9, 13)),
        dict(type='RandomFlip', prob=0.5),
    ],
    [
        dict(
            type='RandomChoiceResize',
            scales=[(30, 18), (50, 30)],
            resize_type='Resize',
            interpolation='nearest',
            keep_ratio=False)
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


def test_packed_by_mmpretrain(loaded):
    import mmpretrain.datasets  # noqa: F401
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        pipeline = Compose([
            dict(type='mmhierseg.LoadSegmentMap', attach=True),
            dict(type='PackInputs')
        ])
        inputs = pipeline(loaded)['inputs']
    assert inputs.shape == (4, 12, 20)
    np.testing.assert_array_equal(inputs[3], LABELS)


def test_left_behind_by_the_transforms_of_mmcv(loaded):
    from mmcv.transforms import Resize
    results = Resize(scale=(40, 24))(LoadSegmentMap()(loaded))
    with pytest.raises(ValueError, match=r'\(12, 20\) but the image \(24, 40'):
        AttachSegmentMap()(results)


def test_repr():
    text = repr(LoadSegmentMap(map_prefix='maps', ignore_label=255))
    assert "map_prefix='maps'" in text and 'ignore_label=255' in text
