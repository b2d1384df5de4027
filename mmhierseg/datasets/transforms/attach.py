"""The segment map as the fourth channel of the image.

Packing transforms, and MMPretrain's ``MultiView``, take ``results['img']`` and
nothing else. The data preprocessors of this project take the map off again.
"""

import numpy as np
from mmcv.transforms import BaseTransform

from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

#: Labels become float32 later on, which holds integers below this exactly.
LABEL_LIMIT = 2**24


def attach_segment_map(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Append a segment map (H, W) to an image as its fourth channel.

    (H, W, 3) uint8 becomes int32, float32 stays; labels are below 2^24.
    """
    check_image(image)
    if (not isinstance(labels, np.ndarray)
            or not np.issubdtype(labels.dtype, np.integer)):
        raise TypeError('`segment_map` must be an array of integers, got '
                        f'{getattr(labels, "dtype", type(labels).__name__)}')
    if labels.shape != image.shape[:2]:
        raise UserError(
            f'`segment_map` has shape {labels.shape} but the image '
            f'{image.shape[:2]}: a transform has changed the size of one of '
            'them only. Maps are carried by the transforms that treat '
            "`seg_fields`, such as MMSegmentation's Resize, RandomResize, "
            'RandomCrop and RandomFlip; padding is done by the data '
            'preprocessor, or by Pad after AttachSegmentMap')
    if labels.size and labels.max() >= LABEL_LIMIT:
        raise UserError(f'`segment_map` must hold labels below {LABEL_LIMIT}'
                        f' (2^24), got {labels.max()}: number the segments '
                        'of each image from 0')
    dtype = np.int32 if image.dtype == np.uint8 else np.float32
    is_signed = labels.dtype.kind == 'i'
    result = np.empty((*labels.shape, 4), dtype)
    # One channel at a time: three times as fast as concatenating.
    for channel in range(3):
        result[..., channel] = image[..., channel]
    # Every negative label means none; one of them is enough.
    result[..., 3] = np.maximum(labels, -1) if is_signed else labels
    return result


def add_segment_map(results: dict, labels: np.ndarray, attach: bool) -> dict:
    """Put a segment map where transforms find it, or on the image."""
    if attach:
        results['img'] = attach_segment_map(results['img'], labels)
    else:
        results['segment_map'] = labels
        # Not in place: the list may belong to the dataset.
        results['seg_fields'] = [*results.get('seg_fields', ()), 'segment_map']
    return results


def check_image(image: np.ndarray) -> None:
    """Check that an image is (H, W, 3) uint8 or float32."""
    if not isinstance(image, np.ndarray):
        raise TypeError("`results['img']` must be an array, got "
                        f'{type(image).__name__}; with MultiView, put the '
                        'transform into the pipeline of each view')
    if image.dtype not in (np.uint8, np.float32):
        raise TypeError("`results['img']` must be uint8 or float32 with "
                        f'values from 0 to 255, got {image.dtype}')
    if image.ndim != 3 or image.shape[2] != 3:
        raise UserError("`results['img']` must have shape (H, W, 3), got "
                        f'{image.shape}; one of four channels carries a '
                        'segment map already, or transparency: attach one map '
                        "only, and load images with color_type='color'")


@TRANSFORMS.register_module()
class AttachSegmentMap(BaseTransform):
    """Make the loaded segment map the fourth channel of the image.

    Comes after all geometric and colour transforms, right before packing. Only
    MMCV's ``Pad`` may follow, which pads the four channels together:
    ``pad_val=dict(img=(103.53, 116.28, 123.675, -1))`` is the mean of BGR
    images and no segment.

    Required Keys:

    - img
    - segment_map

    Modified Keys:

    - img: (H, W, 4) int32, or float32 if it was.
    - seg_fields

    Deleted Keys:

    - segment_map
    """

    def transform(self, results: dict) -> dict:
        """Attach ``results['segment_map']`` to ``results['img']``."""
        if 'segment_map' not in results:
            raise UserError("`results` has no 'segment_map': put "
                            "dict(type='mmhierseg.LoadSegmentMap', ...) "
                            'into the pipeline, after the image is loaded')
        # MMSegmentation's flip notes this key when it flips maps; MMCV's,
        # which flips 'gt_seg_map' and no other map, does not know it.
        if results.get('flip') and 'swap_seg_labels' not in results:
            raise UserError(
                'the image was flipped but not its segment map: use '
                "dict(type='mmseg.RandomFlip', ...), which treats "
                '`seg_fields`, after LoadSegmentMap')
        results['img'] = attach_segment_map(results['img'],
                                            results.pop('segment_map'))
        results['seg_fields'] = [
            key for key in results.get('seg_fields', ())
            if key != 'segment_map'
        ]
        return results
