import io

import numpy as np
import pytest
from helpers.panoptic import panoptic_map, save_png
from PIL import Image

from mmhierseg.datasets.transforms.load_panoptic_map import (
    decode_panoptic_map,
)
from mmhierseg.registry import TRANSFORMS


def encode(image, kind='PNG'):
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return buffer.getvalue()


@pytest.fixture
def pixels():
    return panoptic_map(np.random.default_rng(0), (6, 9))


def load(path, **results):
    transform = TRANSFORMS.build(dict(type='mmhierseg.LoadPanopticMap'))
    return transform(dict(seg_map_path=str(path), seg_fields=[], **results))


def test_labels_are_the_red_channel(pixels, tmp_path):
    save_png(pixels, tmp_path / 'map.png')
    results = load(tmp_path / 'map.png', ori_shape=(6, 9), img_shape=(3, 4))
    labels = results['gt_seg_map']
    np.testing.assert_array_equal(labels, pixels[..., 0])
    assert labels.dtype == np.uint8 and labels.flags.c_contiguous
    assert results['seg_fields'] == ['gt_seg_map']


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="panoptic map .*no.png' does"):
        load(tmp_path / 'no.png')


def test_another_size_than_the_image(pixels, tmp_path):
    save_png(pixels, tmp_path / 'map.png')
    with pytest.raises(ValueError, match='is 6 x 9 but its image .* 9 x 6'):
        load(tmp_path / 'map.png', ori_shape=(9, 6), img_path='a.png')


def test_files_of_another_kind(pixels):
    labels = Image.fromarray(pixels[..., 0])
    for content, message in (
        (encode(labels), 'of mode L; label PNGs, which hold'),
        (encode(labels.convert('P')), 'must be a PNG of mode RGB.* mode P'),
        (encode(Image.fromarray(pixels), 'JPEG'), 'got JPEG of mode RGB'),
        (encode(Image.fromarray(pixels))[:-40], "'m.png' cannot be read"),
        (b'no image', "'m.png' cannot be read"),
    ):
        with pytest.raises(ValueError, match=message):
            decode_panoptic_map(content, 'm.png')


def test_classes_that_do_not_exist(pixels):
    pixels[2, 3, 0], pixels[4, 5, 0] = 19, 200
    content = encode(Image.fromarray(pixels))
    with pytest.raises(
            ValueError, match=r'has \[19, 200\] in R.*0 to 18, or 255'):
        decode_panoptic_map(content, 'm.png')
    assert decode_panoptic_map(content, 'm.png', 201)[4, 5] == 200
