import numpy as np
import pytest
from mmcv.transforms import RandomFlip as MMCVFlip

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import AttachSegmentMap
from mmhierseg.datasets.transforms.attach import attach_segment_map

LABELS = np.arange(15, dtype=np.int32).reshape(3, 5)


def image(height=3, width=5, dtype=np.uint8):
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return values.astype(dtype)


@pytest.mark.parametrize('dtype, expected', [(np.uint8, np.int32),
                                             (np.float32, np.float32)])
def test_channels_are_exact(dtype, expected):
    for labels in (LABELS.astype(np.uint8), LABELS, LABELS.astype(np.int64),
                   LABELS.reshape(5, 3).T):
        both = attach_segment_map(image(dtype=dtype), labels)
        assert both.dtype == expected and both.flags.c_contiguous
        np.testing.assert_array_equal(both[..., :3], image())
        np.testing.assert_array_equal(both[..., 3], labels)
    limits = np.array([[2**24 - 1, -1, -7, 0, 1]])
    both = attach_segment_map(image(1, dtype=dtype), limits)
    assert both[0, :, 3].tolist() == [2**24 - 1, -1, -1, 0, 1]
    with pytest.raises(UserError, match='below 16777216.*got 16777216'):
        attach_segment_map(image(1, dtype=dtype), limits + 1)


@pytest.mark.parametrize('picture, labels, error, message', [
    (image(), np.zeros((3, 4), int), UserError,
     r'\(3, 4\) but the image \(3, 5\).*seg_fields'),
    (image(), LABELS[..., None], UserError, r'\(3, 5, 1\)'),
    (image(), np.zeros((3, 5)), TypeError, 'integers, got float64'),
    (image(dtype=np.float64), LABELS, TypeError, 'got float64'),
    ([image()], LABELS, TypeError, 'got list.*MultiView'),
    (image()[..., 0], LABELS, UserError, r'got \(3, 5\)'),
    (attach_segment_map(image(dtype=np.float32), LABELS), LABELS, UserError,
     'carries a segment map already'),
])
def test_bad_input(picture, labels, error, message):
    with pytest.raises(error, match=message):
        attach_segment_map(picture, labels)


def test_transform():
    fields = ['gt_seg_map', 'segment_map']
    results = dict(img=image(), segment_map=LABELS, seg_fields=fields)
    found = AttachSegmentMap()(dict(results))
    assert found['img'].shape == (3, 5, 4)
    assert 'segment_map' not in found
    assert found['seg_fields'] == ['gt_seg_map'] and len(fields) == 2
    with pytest.raises(UserError, match='LoadSegmentMap'):
        AttachSegmentMap()(dict(img=image()))
    # MMCV's flip leaves the map behind without changing sizes.
    with pytest.raises(UserError, match='flipped but not its segment'):
        AttachSegmentMap()(MMCVFlip(prob=1.)(dict(results)))
    AttachSegmentMap()(MMCVFlip(prob=0.)(dict(results)))
