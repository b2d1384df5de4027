import numpy as np
import pytest
from pycocotools import mask as coco

from mmhierseg.datasets.transforms.load_part_map import (
    decode_mask,
    draw_part_map,
)
from mmhierseg.registry import TRANSFORMS

SIZE = (4, 7)


@pytest.fixture
def mask():
    return np.random.default_rng(0).random(SIZE) < 0.4


def runs(mask):
    """Run-length code of a mask, columns first, zeros first."""
    counts, value = [0], 0
    for pixel in mask.T.ravel().astype(int):
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def test_all_kinds_of_run_lengths(mask):
    code = coco.encode(np.asfortranarray(mask, dtype=np.uint8))['counts']
    for counts in (runs(mask), code, code.decode()):
        decoded = decode_mask(dict(counts=counts, size=list(SIZE)), SIZE)
        assert decoded.dtype == bool
        np.testing.assert_array_equal(decoded, mask)


def test_polygons():
    """Two rectangles; x comes first."""
    decoded = decode_mask([[1, 0, 3, 0, 3, 2, 1, 2],
                           [5, 1, 7, 1, 7, 4, 5, 4]], SIZE)
    expected = np.zeros(SIZE, dtype=bool)
    expected[0:2, 1:3] = expected[1:4, 5:7] = True
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize('segmentation, message', [
    ([], 'expected polygons or a run-length code'),
    ('abc', "expected polygons or a run-length code, got 'abc'"),
    ([[1, 2, 3, 4]], 'x and y of at least 3 points'),
    ([[1, 2, 3, 4, 5, 6, 7]], 'x and y of at least 3 points'),
    ([[1, 2, 3, 4, 5, float('nan')]], 'NaN or infinity'),
    (dict(counts=[28]), r'is of size None, the image \(4, 7\)'),
    (dict(counts=[28], size=[7, 4]), r'is of size \[7, 4\], the image'),
    (dict(size=[4, 7]), "needs 'counts'"),
    (dict(counts='', size=[4, 7]), "needs 'counts'"),
    (dict(counts=[3, 4], size=[4, 7]), 'its runs have 7 pixels.* 28'),
    (dict(counts=[-3, 31], size=[4, 7]), 'its runs have 28 pixels'),
    (dict(counts='garbage', size=[4, 7]), 'Invalid RLE'),
])
def test_what_is_no_mask(segmentation, message):
    with pytest.raises(ValueError, match=message):
        decode_mask(segmentation, SIZE)
    with pytest.raises(ValueError, match='map: the mask of part 3 cannot be'):
        draw_part_map([dict(part_id=3, segmentation=segmentation)], SIZE,
                      'map')


def results(**options):
    code = dict(counts=[0, 8, 20], size=[4, 7])
    return dict(
        part_annotations=[
            dict(part_id=1, segmentation=code),
            dict(part_id=40, segmentation=[[1, 0, 7, 0, 7, 4, 1, 4]])
        ],
        part_size=SIZE,
        part_labels='part',
        img_path='a.JPEG',
        seg_fields=[],
        **options)


def test_later_masks_are_on_top():
    load = TRANSFORMS.build(dict(type='mmhierseg.LoadPartMap'))
    found = load(results(ori_shape=SIZE))
    assert found['gt_seg_map'].tolist() == [[1] + [40] * 6] * 4
    assert found['gt_seg_map'].dtype == np.uint8
    # The masks have had their use.
    assert 'part_annotations' not in found


def test_objects():
    load = TRANSFORMS.build(dict(type='mmhierseg.LoadPartMap'))
    found = load({**results(), 'part_labels': 'object'})
    assert found['gt_seg_map'].tolist() == [[1] + [11] * 6] * 4


def test_bad_input():
    load = TRANSFORMS.build(dict(type='mmhierseg.LoadPartMap'))
    with pytest.raises(ValueError, match='is 4 x 7 but its image .* 7 x 4'):
        load(results(ori_shape=(7, 4)))
    with pytest.raises(KeyError, match='needs PartImageNetDataset'):
        load(dict(img_path='a.JPEG'))
