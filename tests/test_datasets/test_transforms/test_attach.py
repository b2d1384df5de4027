import numpy as np
import pytest

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.transforms import AttachSegmentMap
from mmhierseg.datasets.transforms.attach import attach_segment_map


def image(height=3, width=5, dtype=np.uint8):
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return values.astype(dtype)


@pytest.mark.parametrize('dtype, expected', [(np.uint8, np.int32),
                                             (np.float32, np.float32)])
@pytest.mark.parametrize('label_dtype', [np.uint8, np.int32, np.int64])
def test_channels_are_exact(dtype, expected, label_dtype):
    labels = np.arange(15, dtype=label_dtype).reshape(3, 5)
    both = attach_segment_map(image(dtype=dtype), labels)
    assert both.dtype == expected and both.flags.c_contiguous
    np.testing.assert_array_equal(both[..., :3], image())
    np.testing.assert_array_equal(both[..., 3], labels)


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_range_of_labels(dtype):
    labels = np.array([[2**24 - 1, -1, -7, 0, 1]])
    both = attach_segment_map(image(1, dtype=dtype), labels)
    assert both[0, :, 3].tolist() == [2**24 - 1, -1, -1, 0, 1]
    with pytest.raises(UserError, match='below 16777216.*got 16777216'):
        attach_segment_map(image(1, dtype=dtype), labels + 1)


def test_non_contiguous():
    wide = image(6, 10)[::2, ::-2]
    labels = np.arange(15, dtype=np.int32).reshape(5, 3).T
    both = attach_segment_map(wide, labels)
    np.testing.assert_array_equal(both[..., :3], wide)
    np.testing.assert_array_equal(both[..., 3], labels)


@pytest.mark.parametrize('picture, labels, error, message', [
    (image(), np.zeros((3, 4), int), UserError,
     r'\(3, 4\) but the image \(3, 5\).*seg_fields'),
    (image(), np.zeros((3, 5, 1), int), UserError, r'\(3, 5, 1\)'),
    (image(), np.zeros((3, 5)), TypeError, 'integers, got float64'),
    (image(), None, TypeError, 'integers, got NoneType'),
    (image(dtype=np.float64), np.zeros((3, 5), int), TypeError, 'got float64'),
    ([image()], np.zeros((3, 5), int), TypeError, 'got list.*MultiView'),
    (image()[..., 0], np.zeros((3, 5), int), UserError, r'got \(3, 5\)'),
    (attach_segment_map(image(), np.zeros((3, 5), int)).astype(np.float32),
     np.zeros((3, 5), int), UserError, 'carries a segment map already'),
])
def test_bad_input(picture, labels, error, message):
    with pytest.raises(error, match=message):
        attach_segment_map(picture, labels)


def test_transform():
    fields = ['gt_seg_map', 'segment_map']
    results = dict(
        img=image(),
        segment_map=np.full((3, 5), 4, dtype=np.int32),
        seg_fields=fields)
    results = AttachSegmentMap()(results)
    assert results['img'].shape == (3, 5, 4)
    assert 'segment_map' not in results
    assert results['seg_fields'] == ['gt_seg_map']
    assert fields == ['gt_seg_map', 'segment_map']


def test_no_map():
    with pytest.raises(UserError, match='LoadSegmentMap'):
        AttachSegmentMap()(dict(img=image()))


def test_flipped_image_with_unflipped_map():
    """MMCV's flip leaves the map behind without changing sizes."""
    from mmcv.transforms import RandomFlip as MMCVFlip
    from mmseg.datasets.transforms import RandomFlip as MMSegFlip
    labels = np.arange(15, dtype=np.int32).reshape(3, 5)

    def results():
        return dict(
            img=image(),
            segment_map=labels.copy(),
            seg_fields=['segment_map'])

    flipped = AttachSegmentMap()(MMSegFlip(prob=1.)(results()))
    np.testing.assert_array_equal(flipped['img'][..., 3], labels[:, ::-1])
    np.testing.assert_array_equal(flipped['img'][..., :3],
                                  image()[:, ::-1])
    with pytest.raises(UserError, match='flipped but not its segment'):
        AttachSegmentMap()(MMCVFlip(prob=1.)(results()))
    # Not flipped this time.
    AttachSegmentMap()(MMCVFlip(prob=0.)(results()))
