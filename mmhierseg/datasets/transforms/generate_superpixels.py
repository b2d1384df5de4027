"""Superpixels in the data pipeline, on the CPU."""

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmhierseg.registry import SUPERPIXELS, TRANSFORMS

from .attach import add_segment_map, check_image


@TRANSFORMS.register_module()
class GenerateSuperpixels(BaseTransform):
    """Divide the image into superpixels, the fourth channel from then on.

    Comes after all geometric and colour transforms, right before packing, or
    at the end of each view's transforms. The data preprocessor must be one of
    this project's, without ``superpixels`` of its own.

    With ``attach=False`` the map becomes a segmentation field instead, which
    MMSegmentation's geometric transforms treat together with the image; then
    ``AttachSegmentMap`` comes right before packing.

    Required Keys:

    - img: (H, W, 3) uint8, or float32 with values from 0 to 255.

    Modified Keys:

    - img: (H, W, 4) int32, or float32 if it was (if ``attach``).
    - segment_map, seg_fields (unless ``attach``): (H, W) int32.

    Args:
        superpixels (dict, optional): Config of the method. Defaults to None,
            that is ``dict(type='SEEDS', segment_size=16)``.
        to_rgb (bool): Whether images are BGR, as ``LoadImageFromFile`` loads
            them, and have to be converted for the method; the image itself
            stays BGR. Defaults to True.
        attach (bool): Whether to make the map a part of the image at once.
            Defaults to True.
        truncate (bool): Whether the method is given the integer part of
            float images, as by CAST's authors, instead of rounding it. The
            image itself is not changed. Defaults to False.

    Example:
        >>> transform = GenerateSuperpixels(dict(type='Grid', segment_size=2))
        >>> image = np.full((2, 4, 3), 9, dtype=np.uint8)
        >>> transform(dict(img=image))['img'][0, :, 3]
        array([0, 0, 1, 1], dtype=int32)
    """

    def __init__(self,
                 superpixels: dict | None = None,
                 to_rgb: bool = True,
                 attach: bool = True,
                 truncate: bool = False) -> None:
        if superpixels is None:
            superpixels = dict(type='SEEDS', segment_size=16)
        self.superpixels = SUPERPIXELS.build(superpixels)
        self.to_rgb = to_rgb
        self.attach = attach
        self.truncate = truncate

    def transform(self, results: dict) -> dict:
        """Add the superpixels of ``results['img']``."""
        image = results['img']
        check_image(image)
        rgb = mmcv.bgr2rgb(image) if self.to_rgb else image
        if self.truncate:
            rgb = rgb.clip(0, 255).astype(np.uint8)
        tensor = torch.from_numpy(np.ascontiguousarray(rgb))
        labels = self.superpixels(tensor.permute(2, 0, 1)[None])[0]
        return add_segment_map(results, labels.numpy().astype(np.int32),
                               self.attach)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(superpixels={self.superpixels}, '
                f'to_rgb={self.to_rgb}, attach={self.attach}, '
                f'truncate={self.truncate})')
