import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.demo import picture
from PIL import Image

from mmhierseg.apis.images import (
    MAX_ORIGINAL_SIDE,
    check_image_size,
    list_images,
    read_image,
    resize_labels,
    scale_image,
)
from mmhierseg.apis.outputs import OutputFolder, save_label_maps


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


@pytest.mark.parametrize('mode, suffix, third', [
    ('RGBA', 'png', 204), ('RGBA', 'webp', 204), ('LA', 'png', 204),
    ('PA', 'tif', 0),  # a palette's own alpha is kept apart
])
def test_transparent_is_white(tmp_path, mode, suffix, third):
    image = Image.new('RGBA', (3, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 255 - third))
    path = tmp_path / f'image.{suffix}'
    options = dict(lossless=True, exact=True) if suffix == 'webp' else {}
    image.convert(mode).save(path, **options)
    np.testing.assert_array_equal(
        read_image(path), np.uint8([[[0], [255], [third]]]).repeat(3, axis=2))


@pytest.mark.parametrize('mode, transparency, suffix, third', [
    ('P', b'\xff\x00\x33', 'png', 204),
    ('P', 1, 'gif', 0),
    ('L', 1, 'png', 2),
    ('I;16', 1, 'png', 0),
])
def test_transparent_color_is_white(tmp_path, mode, transparency, suffix,
                                    third):
    image = Image.new(mode, (3, 1))
    image.putdata([0, 1, 2])
    if mode == 'P':
        image.putpalette([0] * 9)
    path = tmp_path / f'image.{suffix}'
    image.save(path, transparency=transparency)
    np.testing.assert_array_equal(read_image(path)[0, :, 0], [0, 255, third])


@pytest.mark.parametrize('source, error, message', [
    (np.zeros((4, 5, 3)), TypeError, 'must be uint8.*float64'),
    (np.zeros((4, 5, 5), np.uint8), ValueError, r'got \(4, 5, 5\)'),
    (np.zeros((0, 5, 3), np.uint8), ValueError, r'got \(0, 5, 3\)'),
    ('no.jpg', FileNotFoundError, "image 'no.jpg' does not exist"),
    ('text.jpg', ValueError, 'text.jpg.* cannot be read: .*replace or remove'),
    ('half.jpg', ValueError, 'half.jpg.* cannot be read: .*replace or remove'),
    ('start.jpg', ValueError, 'start.jpg.* cannot be read'),
    ('palette.png', ValueError, 'palette.png.* cannot be read'),
    ('F.tif', ValueError, "F.tif.* values are of unknown range .mode 'F'"),
    ('I.tif', ValueError, "mode 'I'.*save them with 8 bits"),
    ('empty', ValueError, "'empty' holds no images"),
    ([], ValueError, 'at least one image, got none'),
    (3, TypeError, 'a path, an array, .* or a list.*int'),
    ([None], TypeError, 'a path, an array, .* or a list.*None'),
])
def test_unreadable(source, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('empty').mkdir()
    Path('text.jpg').write_text('this is not an image')
    Image.fromarray(picture(200, 300)).save('half.jpg')
    os.truncate('half.jpg', os.path.getsize('half.jpg') // 2)
    Path('start.jpg').write_bytes(b'\xff\xd8')
    # Without its palette.
    Image.new('P', (4, 4)).save('palette.png')
    content = Path('palette.png').read_bytes()
    start = content.index(b'PLTE') - 4
    Path('palette.png').write_bytes(
        content[:start] + content[content.index(b'IDAT') - 4:])
    Image.fromarray(np.float32([[0, .5, 1]])).save('F.tif')
    Image.fromarray(np.int32([[0, 5, 70000]])).save('I.tif')
    with pytest.raises(error, match=message):
        read_image(list_images(source)[0])


MAPS = [np.array([[0, 1, 2], [3, 4, -1]]), np.array([[0, 0, 0], [7, 7, -1]])]


@pytest.mark.parametrize('shape, img_size, expected', [
    ((30, 60), 16, (16, 32)),
    ((60, 31), 62, (120, 62)),
    ((30, 60), (50, 20), (50, 20)),
    ((30, 60), 'original', (30, 60)),
    ((1000, 3 * MAX_ORIGINAL_SIDE), 'original', (333, MAX_ORIGINAL_SIDE)),
    # Up to 4:1 the shorter side is what was asked for.
    ((30, 120), 16, (16, 64)),
    ((30, 150), 16, (13, 64)),
    ((1, 5000), 16, (1, 64)),
])
def test_scale_image(shape, img_size, expected):
    image = np.full((*shape, 3), 77, np.uint8)
    scaled = scale_image(image, img_size)
    assert scaled.shape == (*expected, 3)
    assert (scaled == 77).all()


def test_resize_labels():
    labels = torch.randint(-1, 9, (2, 5, 7))
    expected = labels.repeat_interleave(2, 1).repeat_interleave(3, 2)
    assert torch.equal(resize_labels(labels, (10, 21)), expected)
    # Mirrored in, mirrored out: no side is preferred (odd sides: no ties).
    resized = resize_labels(labels, (7, 9))
    assert torch.equal(
        resize_labels(labels.flip(1, 2), (7, 9)), resized.flip(1, 2))


def test_image_sizes():
    for img_size in ('original', 8, (8, 500)):
        assert check_image_size(img_size) == img_size
    assert check_image_size([8, 500]) == (8, 500)
    for img_size in ('x', 7, 3.5, (8, ), (8, 8, 8), (8, 7), True):
        with pytest.raises(ValueError, match='`img_size` must be None'):
            check_image_size(img_size)


def test_no_segment_survives_both_formats(tmp_path):
    npz, = OutputFolder(tmp_path, 'npz').write('x', None, MAPS)
    pngs = save_label_maps(tmp_path / 'x', MAPS, 'png')
    stored = np.load(npz)
    for level, labels in enumerate(MAPS):
        assert stored[f'level_{level}'].dtype == np.int32
        np.testing.assert_array_equal(stored[f'level_{level}'], labels)
        picture = Image.open(pngs[level])
        assert picture.mode == 'P'
        np.testing.assert_array_equal(np.array(picture), labels + 1)


def test_labels_that_do_not_fit_a_png(tmp_path):
    large = [np.array([[65534]]), np.array([[65535]])]
    with pytest.raises(ValueError, match='level 1 has label 65535'):
        save_label_maps(tmp_path / 'x', large, 'png')
    assert not list(tmp_path.iterdir())
    path, = save_label_maps(tmp_path / 'x', large[:1], 'png')
    assert np.array(Image.open(path)) == 65535


def test_folders_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ValueError, match='`out_dir` must be a folder'):
        OutputFolder(tmp_path / 'file')
    below = OutputFolder(tmp_path / 'file' / 'below', 'npz')
    with pytest.raises(OSError, match="`out_dir` '.*below' cannot be written "
                       'to: .*; give another'):
        below.write('cat', None, MAPS)
    (tmp_path / 'cat_hierarchy.png').mkdir()
    figure = np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(OSError, match='cannot be written to: .*cat_hierarchy'):
        OutputFolder(tmp_path).write('cat', figure, [])


def test_images_of_one_name_do_not_overwrite_each_other(tmp_path):
    folder = OutputFolder(tmp_path / 'a')
    files = [folder.write('cat', MAPS[0].astype(np.uint8), MAPS)[0]
             for _ in range(2)]
    assert [file.rsplit('/', 1)[1] for file in files] == [
        'cat_hierarchy.png', 'cat_2_hierarchy.png'
    ]


def test_all_kinds_of_inputs(tmp_path):
    """The same pixels, however they come."""
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    path = tmp_path / 'a.png'
    Image.fromarray(rgb).save(path)
    tensor = torch.from_numpy(rgb.copy()).permute(2, 0, 1)
    opaque = np.dstack([rgb, np.full((5, 7), 255, np.uint8)])
    with path.open('rb') as file:
        sources = [Image.fromarray(rgb), file, io.BytesIO(path.read_bytes())]
        assert list_images(sources) == sources
        for source in sources:
            assert np.array_equal(read_image(source), rgb)
    for source in (rgb, tensor, opaque):
        assert np.array_equal(read_image(source, 'rgb'), rgb)
    assert np.array_equal(read_image(rgb[..., ::-1]), rgb)
    opaque[..., 3] = 0
    assert (read_image(opaque) == 255).all()
    with pytest.raises(ValueError, match="'bgr' or 'rgb', got 'RGB'"):
        read_image(rgb, 'RGB')


def test_patterns(tmp_path):
    for name in ('a.png', 'b.png', 'more/c.png', '[d].png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new('RGB', (3, 3)).save(tmp_path / name)
    for pattern, names in (('?.png', 'ab'), ('**/*.png', '[abc'),
                           ('[d].png', '[')):
        found = list_images(str(tmp_path / pattern))
        assert [Path(path).name[0] for path in found] == list(names)
    with pytest.raises(FileNotFoundError, match='no file fits'):
        list_images(str(tmp_path / '*.jpg'))
