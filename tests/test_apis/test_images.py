import numpy as np
import pytest
from PIL import Image

from mmhierseg.apis.images import list_images, read_image

from .conftest import picture


def test_folder_lists_its_images_in_order(photos):
    (photos / 'sub').mkdir()
    Image.new('RGB', (4, 4)).save(photos / 'sub' / 'd.png')
    assert [path.rsplit('/', 1)[1] for path in list_images(photos)
            ] == ['a.png', 'b.png', 'c.bmp']


def test_reads_as_rgb(tmp_path):
    image = picture(5, 9)
    Image.fromarray(image).save(tmp_path / 'rgb.png')
    np.testing.assert_array_equal(read_image(tmp_path / 'rgb.png'), image)
    np.testing.assert_array_equal(read_image(image[..., ::-1]), image)


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', 'CMYK', '1'])
def test_any_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / 'image.tif'
    Image.fromarray(picture(5, 9)).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (5, 9, 3) and image.dtype == np.uint8


def test_grey_array_is_repeated():
    grey = picture(5, 9)[..., 0]
    np.testing.assert_array_equal(
        read_image(grey), np.stack([grey] * 3, axis=2))


def test_turns_upright(tmp_path):
    image = picture(8, 16)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees
    path = tmp_path / 'turned.png'
    Image.fromarray(image).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), np.rot90(image, -1))


def test_truncated_and_unreadable_files_are_named(tmp_path):
    whole = tmp_path / 'whole.jpg'
    Image.fromarray(picture(200, 300)).save(whole)
    content = whole.read_bytes()
    broken = {
        'half.jpg': content[:len(content) // 2],
        'empty.jpg': b'',
        'text.jpg': b'this is not an image',
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=f'{name}.* cannot be read: .*'
                           'replace or remove it'):
            read_image(tmp_path / name)


def test_exceptions(tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match="image 'no.png' does not"):
        list_images('no.png')
    with pytest.raises(ValueError, match="empty' holds no images"):
        list_images(tmp_path / 'empty')
    with pytest.raises(ValueError, match='at least one image, got none'):
        list_images([])
    with pytest.raises(TypeError, match='a path, an array or a list.*int'):
        list_images(3)
    with pytest.raises(TypeError, match='must hold paths and arrays.*None'):
        list_images(['no.png', None][1:])


@pytest.mark.parametrize('array, error, message', [
    (np.zeros((4, 5, 3)), TypeError, 'must be uint8.*float64'),
    (np.zeros((4, 5, 4), np.uint8), ValueError, r'got \(4, 5, 4\)'),
    (np.zeros((0, 5, 3), np.uint8), ValueError, r'got \(0, 5, 3\)'),
])
def test_exceptions_of_arrays(array, error, message):
    with pytest.raises(error, match=message):
        read_image(array)
