import io
import struct
import zlib

import cv2
import mmcv
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image, ImageOps

from mmhierseg._base.errors import UserError
from mmhierseg._base.image_files import image_header, turn_upright
from mmhierseg.apis.images import read_image
from mmhierseg.datasets.transforms import (
    LoadImage,
    LoadLabelMap,
    LoadPanopticMap,
    LoadPartMap,
    LoadSegmentMap,
)
from mmhierseg.datasets.transforms.load_segment_map import encode_segment_map

PIXELS = np.random.default_rng(0).integers(
    0, 256, (40, 56, 3), dtype=np.uint8)


def encode(kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind, **options)
    return buffer.getvalue()


JPEG, SMALL = encode('JPEG'), encode('JPEG', quality=5)
PROGRESSIVE = encode('JPEG', progressive=True)
# Another whole JPEG, end marker and all, in its header.
THUMBNAIL = b''.join((JPEG[:2], b'\xff\xe1', (len(SMALL) + 2).to_bytes(
    2, 'big'), SMALL, JPEG[2:]))


@pytest.fixture
def write(tmp_path):

    def write_picture(content):
        path = tmp_path / 'picture.jpg'
        path.write_bytes(content)
        return dict(img_path=str(path))

    return write_picture


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_same_as_mmcv(write, backend):
    options = dict(imdecode_backend=backend, to_float32=True)
    for content in (JPEG, PROGRESSIVE, JPEG + b'trailing bytes \xff\xda',
                    THUMBNAIL, encode('PNG')):
        results = write(content)
        expected = LoadImageFromFile(**options)(dict(results))
        loaded = LoadImage(**options)(dict(results))
        np.testing.assert_array_equal(loaded['img'], expected['img'])
        assert loaded['img'].dtype == np.float32
        assert loaded['img_shape'] == loaded['ori_shape'] == (40, 56)
        assert loaded.pop('exif_orientation') == 1
        assert loaded.keys() == expected.keys()


@pytest.mark.parametrize('content, reason', [
    (b'this is no image', 'cannot'),
    (b'', 'it is empty'),
    (JPEG[:-800], 'truncated'),
    (JPEG[:200], 'truncated'),
    (encode('PNG')[:-800], 'cannot'),
    (None, 'does not exist'),
])
def test_unreadable(write, tmp_path, content, reason):
    results = dict(img_path=str(tmp_path / 'picture.jpg'))
    if content is not None:
        write(content)
    error = FileNotFoundError if content is None else UserError
    for backend in ('cv2', 'pillow'):
        with pytest.raises(error, match=f'picture.jpg.*{reason}'):
            LoadImage(imdecode_backend=backend)(results)
    assert LoadImage(ignore_empty=True)(results) is None


def test_truncated_file_with_an_old_opencv(write, monkeypatch):
    """Before OpenCV 5 half a JPEG came back with its lower half grey."""
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: PIXELS)
    start, end = b'\xff\xda\x00\x02..', b'\xff\xd9'
    for content in (b'\x89PNG....',
                    b'\xff\xd8\xff\xff\xe0\x00\x04..' + start + end):
        assert LoadImage()(write(content))['img'].shape == (40, 56, 3)
    for content in (JPEG[:-800], PROGRESSIVE[:-800], THUMBNAIL[:-800],
                    b'\xff\xd8\xff', b'\xff\xd8\xff\xe0\x00\x04' + end +
                    start):
        with pytest.raises(UserError, match='picture.jpg.*truncated'):
            LoadImage()(write(content))


def turned(kind, orientation, pixels=PIXELS):
    """An image whose EXIF says how it is turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    options = dict(lossless=True) if kind == 'WEBP' else {}
    Image.fromarray(pixels).save(buffer, kind, exif=exif, **options)
    return buffer.getvalue()


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_all_agree_which_way_is_up(write, kind):
    """LoadImage with any backend, the inferencer, and the sizes in headers."""
    for orientation in range(10):
        content = turned(kind, orientation)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
        expected = np.array(upright.convert('RGB'))
        results = write(content)
        header = image_header(content)
        assert header.size == expected.shape[:2]
        found = [read_image(results['img_path'])]
        for backend in ('cv2', 'pillow'):
            load = LoadImage(imdecode_backend=backend)
            loaded = load(dict(results))
            assert loaded['exif_orientation'] == header.orientation
            found.append(loaded['img'][..., ::-1])
        for image in found:
            np.testing.assert_allclose(image, expected, atol=3)
    stored = LoadImage(color_type='color_ignore_orientation')
    assert kind == 'TIFF' or stored(write(turned(kind, 6)))['img'].shape == (
        40, 56, 3)


LABELS = np.arange(40 * 56).reshape(40, 56) % 19


def loaders(path, labels):
    """Every transform that loads labels, with its field in the results."""
    small = labels.astype(np.uint8)
    rgb = np.stack([small, 0 * small, 0 * small], axis=2)
    size = list(labels.shape)
    runs = [
        dict(part_id=i,
             segmentation=dict(counts=counts(labels == i), size=size))
        for i in range(1, 19)
    ]
    for kind, array in ((LoadSegmentMap, small), (LoadPanopticMap, rgb),
                        (LoadLabelMap, small), (LoadPartMap, None)):
        if array is not None:
            Image.fromarray(array).save(path)
        results = dict(
            segment_map_path=str(path), seg_map_path=str(path),
            reduce_zero_label=False, part_annotations=runs,
            part_size=labels.shape, part_labels='part')
        yield kind, results


def counts(mask):
    edges = np.flatnonzero(np.diff(mask.T.ravel(), prepend=False))
    return np.diff([0, *edges, mask.size]).tolist()


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('square', [False, True])
def test_labels_are_turned_as_their_image(write, tmp_path, orientation,
                                          square):
    """Those of the stored picture, and those of the upright one."""
    stored = LABELS[:, :40] if square else LABELS
    upright = turn_upright(stored, orientation)
    decides = orientation == 1 or (orientation > 4 and not square)
    pixels = PIXELS[:, :40] if square else PIXELS
    image = write(turned('PNG', orientation, pixels))
    for loaded in (LoadImage()(dict(image)), image):
        for name, labels in dict(stored=stored, upright=upright).items():
            for kind, results in loaders(tmp_path / 'm.png', labels):
                results.update(loaded)
                if not decides:
                    with pytest.raises(UserError, match="annotated='stored'"):
                        kind()(dict(results))
                load = kind() if decides else kind(annotated=name)
                found = load(dict(results))
                field = found.get('segment_map', found.get('gt_seg_map'))
                np.testing.assert_array_equal(field, upright)
    # Maps that this project writes are of the upright image.
    (tmp_path / 'm.png').write_bytes(encode_segment_map(upright))
    results = dict(image, segment_map_path=str(tmp_path / 'm.png'))
    np.testing.assert_array_equal(
        LoadSegmentMap()(results)['segment_map'], upright)
    with pytest.raises(UserError, match="must be 'stored', 'upright' or None"):
        LoadPartMap(annotated='turned')


def test_damaged_label_maps(tmp_path):
    """Pillow reads 6 % of them silently with other labels."""
    path = tmp_path / 'damaged.png'
    rng = np.random.default_rng(0)
    for kind, results in loaders(path, np.kron(
            rng.integers(0, 19, (4, 5)), np.ones((8, 8), dtype=int))):
        if kind is LoadPartMap:
            continue
        whole = path.read_bytes()
        expected = kind()(dict(results))
        for bit in rng.choice(8 * len(whole), 300, replace=False):
            content = bytearray(whole)
            content[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content)
            with pytest.raises(UserError, match='damaged.png'):
                kind()(dict(results))
        path.write_bytes(whole + b'after the end')
        assert expected.keys() == kind()(dict(results)).keys()
        Image.fromarray(np.zeros((32, 40), np.uint8)).save(path, 'JPEG')
        with pytest.raises(UserError, match='damaged.png'):
            kind()(dict(results))


def png_of_zeros(height, width, bits=8, color=0):
    """A PNG of any size, made without its pixels."""
    packer, line = zlib.compressobj(9), bytes(
        1 + (width * bits * (3 if color else 1) + 7) // 8)
    data = b''.join([packer.compress(line) for _ in range(height)])
    header = struct.pack('>IIBBBBB', width, height, bits, color, 0, 0, 0)
    content = b'\x89PNG\r\n\x1a\n'
    for kind, body in ((b'IHDR', header), (b'IDAT', data + packer.flush()),
                       (b'IEND', b'')):
        content += struct.pack('>I', len(body)) + kind + body + struct.pack(
            '>I', zlib.crc32(kind + body))
    return content


def test_too_large_images_are_not_decoded(write, tmp_path, monkeypatch):
    monkeypatch.setattr(mmcv, 'imfrombytes', lambda *_, **__: PIXELS)
    bomb = png_of_zeros(20000, 20000, bits=1)
    assert len(bomb) < 10**5
    path = write(bomb)['img_path']
    message = ('picture.jpg.* 20000 x 20000 pixels, more than .*'
               'set MMHIERSEG_MAX_PIXELS=400000000')
    for read in (read_image, lambda path: LoadImage()(dict(img_path=path))):
        with pytest.raises(ValueError, match=message):
            read(path)
    # Pillow checks some formats itself.
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    webp, loaders = tmp_path / 'large.webp', (
        read_image, lambda path: LoadImage()(dict(img_path=path)),
        lambda path: LoadLabelMap()(dict(img_path='', seg_map_path=path)))
    Image.new('L', (40, 50)).save(webp)
    for read in loaders:
        with pytest.raises(ValueError, match='large.webp.*2000 pixels'):
            read(str(webp))
    monkeypatch.setenv('MMHIERSEG_MAX_PIXELS', '400000000')
    LoadImage()(dict(img_path=path))
    assert read_image(webp).shape == (50, 40, 3)
    monkeypatch.setenv('MMHIERSEG_MAX_PIXELS', '4e8')
    with pytest.raises(UserError, match='MAX_PIXELS .* must be a number'):
        LoadImage()(dict(img_path=path))
    monkeypatch.setenv('MMHIERSEG_MAX_PIXELS', '2000')
    with pytest.raises(UserError, match='40 x 56 pixels, more than 2000'):
        LoadImage()(write(JPEG))


def test_large_label_maps(write, tmp_path, monkeypatch):
    """Pillow's own limit is not theirs; the image's size is."""
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    path = tmp_path / 'm.png'
    image = write(JPEG)
    for kind, results in loaders(path, LABELS):
        kind()(dict(results, **LoadImage()(dict(image))))
    path.write_bytes(png_of_zeros(30000, 30000, bits=1))
    for kind, results in loaders(tmp_path / 'other.png', LABELS):
        if kind is not LoadPartMap:
            results = dict(results, **LoadImage()(dict(image)),
                           seg_map_path=str(path), segment_map_path=str(path))
            with pytest.raises(UserError, match='m.png. is 30000 x 30000 but'):
                kind()(results)
    monkeypatch.setenv('MMHIERSEG_MAX_PIXELS', '1000')
    with pytest.raises(UserError, match='m.png.*more than 1000'):
        LoadSegmentMap()(dict(segment_map_path=str(path)))
