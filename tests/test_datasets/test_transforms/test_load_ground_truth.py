"""LoadPanopticMap and LoadPartMap."""

import io

import numpy as np
import pytest
from helpers.panoptic import panoptic_map, save_png
from PIL import Image
from pycocotools import mask as coco

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms.load_panoptic_map import (
    decode_panoptic_map,
)
from mmhierseg.datasets.transforms.load_part_map import (
    decode_mask,
    draw_part_map,
)
from mmhierseg.registry import TRANSFORMS

SIZE = (4, 7)


def encode(image, kind='PNG'):
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return buffer.getvalue()


@pytest.fixture
def pixels():
    return panoptic_map(np.random.default_rng(0), (6, 9))


def load(path, **results):
    transform = TRANSFORMS.build(dict(type='mmhierseg.LoadPanopticMap'))
    return transform(dict(seg_map_path=str(path), **results))


def test_panoptic_map(pixels, tmp_path):
    """Labels are the red channel."""
    path = tmp_path / 'map.png'
    save_png(pixels, path)
    fields = ['segment_map']
    results = load(
        path, ori_shape=(6, 9), img_shape=(3, 4), seg_fields=fields)
    labels = results['gt_seg_map']
    np.testing.assert_array_equal(labels, pixels[..., 0])
    assert labels.dtype == np.uint8 and labels.flags.c_contiguous
    assert results['seg_fields'] == ['segment_map', 'gt_seg_map']
    assert fields == ['segment_map']
    # A new id may be the old id of another class.
    found = load(path, label_map={0: 1, 1: 0, 2: 255})['gt_seg_map']
    for old, new in ((0, 1), (1, 0), (3, 3)):
        np.testing.assert_array_equal(found == new, labels == old)
    with pytest.raises(FileNotFoundError, match="panoptic map .*no.png' does"):
        load(tmp_path / 'no.png')
    with pytest.raises(UserError, match='is 6 x 9 but its image .* 9 x 6'):
        load(path, ori_shape=(9, 6), img_path='a.png')


def test_files_that_are_no_panoptic_maps(pixels):
    labels = Image.fromarray(pixels[..., 0])
    for content, message in (
        (encode(labels), 'of mode L; label PNGs, which hold'),
        (encode(labels.convert('P')), 'must be a PNG of mode RGB.* mode P'),
        (encode(Image.fromarray(pixels), 'JPEG'), 'got JPEG of mode RGB'),
        (encode(Image.fromarray(pixels))[:-40], "'m.png' cannot be read"),
        (b'no image', "'m.png' cannot be read"),
    ):
        with pytest.raises(UserError, match=message):
            decode_panoptic_map(content, 'm.png')
    pixels[2, 3, 0], pixels[4, 5, 0] = 19, 200
    content = encode(Image.fromarray(pixels))
    with pytest.raises(
            UserError, match=r'has \[19, 200\] in R.*0 to 18, or 255'):
        decode_panoptic_map(content, 'm.png')


def test_masks():
    mask = np.random.default_rng(0).random(SIZE) < 0.4
    # Runs of a mask, columns first, zeros first.
    edges = np.flatnonzero(np.diff(mask.T.ravel(), prepend=False))
    runs = np.diff([0, *edges, mask.size]).tolist()
    code = coco.encode(np.asfortranarray(mask, dtype=np.uint8))['counts']
    for counts in (runs, code, code.decode()):
        decoded = decode_mask(dict(counts=counts, size=list(SIZE)), SIZE)
        assert decoded.dtype == bool
        np.testing.assert_array_equal(decoded, mask)
    # Two rectangles; x comes first.
    decoded = decode_mask([[1, 0, 3, 0, 3, 2, 1, 2],
                           [5, 1, 7, 1, 7, 4, 5, 4]], SIZE)
    expected = np.zeros(SIZE, dtype=bool)
    expected[0:2, 1:3] = expected[1:4, 5:7] = True
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize('segmentation, message', [
    ([], 'expected polygons or a run-length code'),
    ([[1, 2, 3, 4, 5, 6, 7]], 'x and y of at least 3 points'),
    ([[1, 2, 3, 4, 5, float('nan')]], 'NaN or infinity'),
    (dict(counts=[28], size=[7, 4]), r'is of size \[7, 4\], the image'),
    (dict(counts='', size=[4, 7]), "needs 'counts'"),
    (dict(counts=[3, 4], size=[4, 7]), 'its runs have 7 pixels.* 28'),
    (dict(counts=[-3, 31], size=[4, 7]), 'its runs have 28 pixels'),
    (dict(counts='garbage', size=[4, 7]), 'Invalid RLE'),
])
def test_bad_masks(segmentation, message):
    with pytest.raises(
            UserError, match=f'map: the mask of part 3 cannot be .*{message}'):
        draw_part_map([dict(part_id=3, segmentation=segmentation)], SIZE,
                      'map')


def test_part_map():
    transform = TRANSFORMS.build(dict(type='mmhierseg.LoadPartMap'))
    code = dict(counts=[0, 8, 20], size=[4, 7])
    parts = [
        dict(part_id=1, segmentation=code),
        dict(part_id=40, segmentation=[[1, 0, 7, 0, 7, 4, 1, 4]])
    ]
    results = dict(
        part_annotations=parts,
        part_size=SIZE,
        part_labels='part',
        img_path='a.JPEG')
    # Later masks are on top.
    found = transform(dict(results, ori_shape=SIZE))
    assert found['gt_seg_map'].tolist() == [[1] + [40] * 6] * 4
    assert found['gt_seg_map'].dtype == np.uint8
    assert 'part_annotations' not in found
    found = transform(dict(results, part_labels='object'))
    assert found['gt_seg_map'].tolist() == [[1] + [11] * 6] * 4
    with pytest.raises(UserError, match='is 4 x 7 but its image .* 7 x 4'):
        transform(dict(results, ori_shape=(7, 4)))
    with pytest.raises(UserError, match='needs PartImageNetDataset'):
        transform(dict(img_path='a.JPEG'))
