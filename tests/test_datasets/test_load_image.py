import io

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import LoadImage

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
