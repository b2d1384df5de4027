"""Resizing, padding and rounding as in the authors' code."""

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform, Pad, RandomResize

from mmhierseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeOwnSize(RandomResize):
    """Scale an image relative to its own size; new sides are truncated.

    Segment maps are resized with it, by their nearest neighbours. (MMCV's
    ``RandomResize`` is relative to one size for all images, and rounds.)

    Required and modified keys are those of MMSegmentation's ``Resize``.

    Args:
        ratio_range (tuple[float, float], optional): Range of a random factor.
        longer_side (int, optional): Alternatively, the new longer side.
        **kwargs: Other arguments of MMSegmentation's ``Resize``.
    """

    def __init__(self,
                 ratio_range: tuple[float, float] | None = None,
                 longer_side: int | None = None,
                 **kwargs) -> None:
        if (ratio_range is None) == (longer_side is None):
            raise ValueError('`ratio_range` or `longer_side` must be given, '
                             f'got {ratio_range} and {longer_side}')
        super().__init__((1, 1), ratio_range, 'mmseg.Resize', **kwargs)
        self.longer_side = longer_side

    def transform(self, results: dict) -> dict:
        """Resize ``results['img']`` and maps."""
        size = results['img'].shape[1::-1]
        if self.longer_side is None:
            self.scale = size
            return super().transform(results)
        results['scale'] = self.resize.scale = tuple(
            max(1, side * self.longer_side // max(size)) for side in size)
        return self.resize(results)


@TRANSFORMS.register_module()
class PadSegmentMap(Pad):
    """MMCV's ``Pad`` that also pads the segment map, with "no segment".

    Required Keys:

    - img
    - segment_map

    Args: see MMCV's ``Pad``.
    """

    def transform(self, results: dict) -> dict:
        """Pad ``results['img']`` and maps."""
        results = super().transform(results)
        results['segment_map'] = mmcv.impad(
            results['segment_map'], shape=results['img_shape'], pad_val=-1)
        return results


@TRANSFORMS.register_module()
class Truncate(BaseTransform):
    """Convert a float32 image to uint8 without rounding."""

    def transform(self, results: dict) -> dict:
        """Truncate ``results['img']``."""
        results['img'] = results['img'].clip(0, 255).astype(np.uint8)
        return results
