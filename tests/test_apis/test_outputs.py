"""Sizes of images and label maps, and files of results."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmhierseg.apis.images import (
    MAX_ORIGINAL_SIDE,
    check_image_size,
    resize_labels,
    scale_image,
)
from mmhierseg.apis.outputs import OutputFolder, save_label_maps

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


def test_images_of_one_name_do_not_overwrite_each_other(tmp_path):
    folder = OutputFolder(tmp_path / 'a' / 'b')
    assert not (tmp_path / 'a').exists()
    figure = np.zeros((4, 5, 3), np.uint8)
    files = [folder.write('cat', figure, MAPS)[0] for _ in range(2)]
    assert [file.rsplit('/', 1)[1] for file in files] == [
        'cat_hierarchy.png', 'cat_2_hierarchy.png'
    ]


def test_no_segment_survives_both_formats(tmp_path):
    npz, = OutputFolder(tmp_path, 'npz').write('x', None, MAPS)
    pngs = save_label_maps(tmp_path / 'x', MAPS, 'png')
    stored = np.load(npz)
    for level, labels in enumerate(MAPS):
        assert stored[f'level_{level}'].dtype == np.int32
        np.testing.assert_array_equal(stored[f'level_{level}'], labels)
        picture = Image.open(pngs[level])
        assert picture.mode.startswith('I;16')
        np.testing.assert_array_equal(np.array(picture), labels + 1)


def test_labels_that_do_not_fit_a_png(tmp_path):
    large = [np.array([[65534]]), np.array([[65535]])]
    with pytest.raises(ValueError, match='level 1 has label 65535'):
        save_label_maps(tmp_path / 'x', large, 'png')
    assert np.array(Image.open(tmp_path / 'x_level_0.png')) == 65535


def test_folders_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ValueError, match='`out_dir` must be a folder'):
        OutputFolder(tmp_path / 'file')
    below = OutputFolder(tmp_path / 'file' / 'below', 'npz')
    with pytest.raises(OSError, match="`out_dir` '.*below' cannot be written "
                       'to: .*; give another'):
        below.write('cat', None, MAPS)
    (tmp_path / 'cat_hierarchy.png').mkdir()
    with pytest.raises(OSError, match='cannot be written to: .*cat_hierarchy'):
        OutputFolder(tmp_path).write('cat', np.zeros((4, 5, 3), np.uint8), [])
