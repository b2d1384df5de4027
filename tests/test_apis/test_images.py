import numpy as np
import pytest
from helpers.demo import picture
from PIL import Image

from mmhierseg.apis.images import list_images, read_image


def test_folder_lists_its_images_in_order(photos):
    """With those of folders in it, but not those that were written there."""
    for folder in ('sub', 'out'):
        (photos / folder).mkdir()
        Image.new('RGB', (4, 4)).save(photos / folder / 'd.png')
    assert list_images(photos, exclude=photos / 'out') == [
        str(photos / name) for name in ('a.png', 'b.png', 'c.bmp', 'sub/d.png')
    ]


def test_reads_as_rgb(tmp_path):
    image = picture(5, 9)
    Image.fromarray(image).save(tmp_path / 'rgb.png')
    np.testing.assert_array_equal(read_image(tmp_path / 'rgb.png'), image)
    np.testing.assert_array_equal(read_image(image[..., ::-1]), image)
    grey = np.stack([image[..., 0]] * 3, axis=2)
    np.testing.assert_array_equal(read_image(image[..., 0]), grey)


@pytest.mark.parametrize('mode', ['L', 'P', 'CMYK', 'LAB'])
def test_any_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / 'image.tif'
    image = Image.new('RGB', (9, 5), 'white')
    image.paste((0, 0, 0), (3, 1, 5, 2))
    if mode == 'LAB':  # Pillow does not convert to it
        neutral = Image.new('L', (9, 5), 128)
        image = Image.merge(mode, [image.convert('L'), neutral, neutral])
    image.convert(mode).save(path)
    expected = np.full((5, 9, 3), 255, np.uint8)
    expected[1, 3:5] = 0
    np.testing.assert_allclose(read_image(path), expected, atol=1)


@pytest.mark.parametrize('suffix', ['png', 'tif', 'pgm', 'jp2'])
def test_16_bit_grey_is_scaled(tmp_path, suffix):
    values = np.array([[0, 257, 128 * 257], [300, 65535, 32767]], np.uint16)
    path = tmp_path / f'image.{suffix}'
    Image.fromarray(values).save(path)
    expected = np.array([[0, 1, 128], [1, 255, 127]], np.uint8)
    np.testing.assert_array_equal(
        read_image(path), np.stack([expected] * 3, axis=2))


@pytest.mark.parametrize('values, mode', [
    (np.float32([[0, .5, 1]]), 'F'),
    (np.int32([[0, 5, 70000]]), 'I'),
])
def test_values_of_unknown_range_are_refused(tmp_path, values, mode):
    path = tmp_path / 'depth.tif'
    Image.fromarray(values).save(path)
    with pytest.raises(ValueError, match=f"depth.tif' has values of unknown "
                       f"range .mode '{mode}'.*save them with 8 bits"):
        read_image(path)


@pytest.mark.parametrize('mode, suffix', [('RGBA', 'png'), ('RGBA', 'webp'),
                                          ('LA', 'png'), ('PA', 'tif')])
def test_transparent_is_white(tmp_path, mode, suffix):
    image = Image.new('RGBA', (3, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    if mode != 'PA':  # a palette's own alpha is kept apart
        image.putpixel((2, 0), (0, 0, 0, 51))
    path = tmp_path / f'image.{suffix}'
    options = dict(lossless=True, exact=True) if suffix == 'webp' else {}
    image.convert(mode).save(path, **options)
    grey = read_image(path)
    assert (grey == grey[..., :1]).all()
    expected = [0, 255, 0 if mode == 'PA' else 204]
    np.testing.assert_array_equal(grey[0, :, 0], expected)


@pytest.mark.parametrize('mode, transparency, suffix', [
    ('P', b'\xff\x00\x33', 'png'),
    ('P', 1, 'gif'),
    ('L', 1, 'png'),
    ('I;16', 1, 'png'),
])
def test_transparent_color_is_white(tmp_path, mode, transparency, suffix):
    image = Image.new(mode, (3, 1))
    image.putdata([0, 1, 2])
    if mode == 'P':
        image.putpalette([0] * 9)
    path = tmp_path / f'image.{suffix}'
    image.save(path, transparency=transparency)
    third = {'L': 2, 'P': 204 if suffix == 'png' else 0}.get(mode, 0)
    np.testing.assert_array_equal(read_image(path)[0, :, 0], [0, 255, third])


def test_turns_upright(tmp_path):
    image = picture(8, 16)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees
    path = tmp_path / 'turned.png'
    Image.fromarray(image).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), np.rot90(image, -1))


@pytest.mark.parametrize('array, error, message', [
    (np.zeros((4, 5, 3)), TypeError, 'must be uint8.*float64'),
    (np.zeros((4, 5, 4), np.uint8), ValueError, r'got \(4, 5, 4\)'),
    (np.zeros((0, 5, 3), np.uint8), ValueError, r'got \(0, 5, 3\)'),
    ('no.jpg', FileNotFoundError, "no.jpg' does not exist"),
    ('text.jpg', ValueError, 'text.jpg.* cannot be read: .*replace or remove'),
    ('half.jpg', ValueError, 'half.jpg.* cannot be read: .*replace or remove'),
])
def test_unreadable(tmp_path, array, error, message):
    Image.fromarray(picture(200, 300)).save(tmp_path / 'half.jpg')
    content = (tmp_path / 'half.jpg').read_bytes()
    (tmp_path / 'half.jpg').write_bytes(content[:len(content) // 2])
    (tmp_path / 'text.jpg').write_text('this is not an image')
    with pytest.raises(error, match=message):
        read_image(tmp_path / array if isinstance(array, str) else array)


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
    with pytest.raises(TypeError, match='a path, an array or a list.*None'):
        list_images([None])
