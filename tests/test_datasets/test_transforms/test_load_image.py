import io

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset
from mmengine.registry import DefaultScope
from PIL import Image
from torch.utils.data import DataLoader

from mmhierseg.datasets.transforms import LoadImage
from mmhierseg.datasets.transforms.load_image import is_truncated_jpeg

PIXELS = np.random.default_rng(0).integers(
    0, 256, (40, 56, 3), dtype=np.uint8)


def encode(kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind, **options)
    return buffer.getvalue()


def thumbnail_in_header():
    """A JPEG with another whole JPEG, end marker and all, in its header."""
    whole, small = encode('JPEG'), encode('JPEG', quality=5)
    assert len(small) < 2**16 - 2
    segment = b'\xff\xe1' + (len(small) + 2).to_bytes(2, 'big') + small
    return whole[:2] + segment + whole[2:]


def write(tmp_path, content, name='picture.jpg'):
    path = tmp_path / name
    path.write_bytes(content)
    return dict(img_path=str(path))


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('content', [
    encode('JPEG'),
    encode('JPEG', progressive=True),
    encode('JPEG') + b'trailing bytes \xff\xda',
    thumbnail_in_header(),
    encode('PNG'),
])
def test_loads_what_mmcv_loads(tmp_path, content, backend):
    results = write(tmp_path, content)
    options = dict(imdecode_backend=backend)
    expected = LoadImageFromFile(**options)(dict(results))
    loaded = LoadImage(**options)(dict(results))
    np.testing.assert_array_equal(loaded['img'], expected['img'])
    assert loaded['img_shape'] == loaded['ori_shape'] == (40, 56)
    assert loaded.keys() == expected.keys()


def test_options(tmp_path):
    results = write(tmp_path, encode('PNG'))
    grey = LoadImage(to_float32=True, color_type='grayscale')(results)['img']
    assert grey.dtype == np.float32 and grey.shape == (40, 56)


BROKEN = {
    'text': (b'this is no image', 'cannot'),
    'empty': (b'', 'it is empty'),
    'half a JPEG': (encode('JPEG')[:-800], 'truncated'),
    'half a progressive JPEG': (encode('JPEG', progressive=True)[:-800],
                                'truncated'),
    'header of a JPEG': (encode('JPEG')[:200], 'truncated'),
    'half behind a thumbnail': (thumbnail_in_header()[:-800], 'truncated'),
    'half a PNG': (encode('PNG')[:-800], 'cannot'),
}


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('case', BROKEN)
def test_unreadable(tmp_path, case, backend):
    content, reason = BROKEN[case]
    results = write(tmp_path, content, 'broken.jpg')
    message = f'broken.jpg.*{reason}.*replace the file, or remove it'
    with pytest.raises(ValueError, match=message):
        LoadImage(imdecode_backend=backend)(results)
    assert LoadImage(ignore_empty=True)(results) is None


def test_opencv_that_fills_up_truncated_files(tmp_path, monkeypatch):
    """Before OpenCV 5 half a JPEG came back with its lower half grey."""
    results = write(tmp_path, encode('JPEG')[:-800])
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: PIXELS)
    assert LoadImageFromFile()(dict(results))['img'].shape == (40, 56, 3)
    with pytest.raises(ValueError, match='picture.jpg.*truncated'):
        LoadImage()(results)


def test_missing_and_folder(tmp_path):
    results = dict(img_path=str(tmp_path / 'nothing.jpg'))
    with pytest.raises(FileNotFoundError,
                       match=r'nothing.jpg. does not exist.*data_prefix'):
        LoadImage()(results)
    assert LoadImage(ignore_empty=True)(results) is None
    with pytest.raises(ValueError, match='cannot be read'):
        LoadImage()(dict(img_path=str(tmp_path)))


@pytest.mark.parametrize('content, truncated', [
    (b'', False),
    (b'\x89PNG....', False),
    (b'\xff\xd8', True),
    (b'\xff\xd8\xff', True),
    (b'\xff\xd8\xff\xff\xe0\x00\x04..\xff\xda\x00\x02..\xff\xd9', False),
    (b'\xff\xd8\xff\xe0\x00\x04\xff\xd9\xff\xda\x00\x02..', True),
])
def test_is_truncated_jpeg(content, truncated):
    assert is_truncated_jpeg(content) is truncated


class _Pictures(BaseDataset):

    def load_data_list(self):
        return self.metainfo['files']


@pytest.mark.parametrize('num_workers', [0, 1])
def test_message_comes_out_of_a_worker(tmp_path, num_workers):
    files = [
        write(tmp_path, encode('JPEG'), 'fine.jpg'),
        write(tmp_path, encode('JPEG')[:-800], 'broken.jpg'),
    ]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = _Pictures(
            metainfo=dict(files=files),
            pipeline=[dict(type='mmhierseg.LoadImage')])
    loader = DataLoader(
        dataset,
        batch_size=None,
        num_workers=num_workers,
        multiprocessing_context='fork' if num_workers else None)
    with pytest.raises(ValueError, match='broken.jpg.*replace the file'):
        list(loader)
