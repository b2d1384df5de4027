import io

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset
from mmengine.registry import DefaultScope
from PIL import Image
from torch.utils.data import DataLoader

from mmhierseg._base.errors import UserError
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
def test_same_as_mmcv(tmp_path, content, backend):
    results = write(tmp_path, content)
    options = dict(imdecode_backend=backend, to_float32=True)
    expected = LoadImageFromFile(**options)(dict(results))
    loaded = LoadImage(**options)(dict(results))
    np.testing.assert_array_equal(loaded['img'], expected['img'])
    assert loaded['img'].dtype == np.float32
    assert loaded['img_shape'] == loaded['ori_shape'] == (40, 56)
    assert loaded.keys() == expected.keys()


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


@pytest.mark.parametrize('case', BROKEN)
def test_unreadable(tmp_path, case):
    content, reason = BROKEN[case]
    results = write(tmp_path, content, 'broken.jpg')
    message = f'broken.jpg.*{reason}.*replace the file, or remove it'
    for backend in ('cv2', 'pillow'):
        with pytest.raises(UserError, match=message):
            LoadImage(imdecode_backend=backend)(results)
    assert LoadImage(ignore_empty=True)(results) is None


def test_truncated_file_with_an_old_opencv(tmp_path, monkeypatch):
    """Before OpenCV 5 half a JPEG came back with its lower half grey."""
    results = write(tmp_path, encode('JPEG')[:-800])
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: PIXELS)
    assert LoadImageFromFile()(dict(results))['img'].shape == (40, 56, 3)
    with pytest.raises(UserError, match='picture.jpg.*truncated'):
        LoadImage()(results)
    for content, truncated in (
        (b'', False),
        (b'\x89PNG....', False),
        (b'\xff\xd8\xff', True),
        (b'\xff\xd8\xff\xff\xe0\x00\x04..\xff\xda\x00\x02..\xff\xd9', False),
        (b'\xff\xd8\xff\xe0\x00\x04\xff\xd9\xff\xda\x00\x02..', True),
    ):
        assert is_truncated_jpeg(content) is truncated


def test_missing_file_and_folder(tmp_path):
    results = dict(img_path=str(tmp_path / 'nothing.jpg'))
    with pytest.raises(FileNotFoundError,
                       match=r'nothing.jpg. does not exist.*data_prefix'):
        LoadImage()(results)
    assert LoadImage(ignore_empty=True)(results) is None
    with pytest.raises(UserError, match='cannot be read'):
        LoadImage()(dict(img_path=str(tmp_path)))


class _Pictures(BaseDataset):

    def load_data_list(self):
        return self.metainfo['files']


@pytest.mark.parametrize('broken, message', [
    ('broken.jpg', 'broken.jpg.*replace the file'),
    ('missing.jpg', 'missing.jpg. does not exist'),
])
def test_errors_of_data_loader_workers(tmp_path, broken, message):
    """They keep their class and message."""
    write(tmp_path, encode('JPEG')[:-800], 'broken.jpg')
    files = [
        write(tmp_path, encode('JPEG'), 'fine.jpg'),
        dict(img_path=str(tmp_path / broken)),
    ]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = _Pictures(
            metainfo=dict(files=files),
            pipeline=[dict(type='mmhierseg.LoadImage')])
    loader = DataLoader(
        dataset,
        batch_size=None,
        num_workers=1,
        multiprocessing_context='fork')
    with pytest.raises(UserError, match=message):
        list(loader)
