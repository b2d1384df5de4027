"""Superpixels in the data pipeline, on the CPU."""

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmhierseg.registry import SUPERPIXELS, TRANSFORMS

from .attach import attach_segment_map, check_image


@TRANSFORMS.register_module()
class GenerateSuperpixels(BaseTransform):
    """Divide the image into superpixels, the fourth channel from then on.

    Comes after all geometric and colour transforms, right before packing, or
    at the end of each view's transforms. The data preprocessor must be one of
    this project's, without ``superpixels`` of its own.

    Required Keys:

    - img: (H, W, 3) uint8, or float32 with values from 0 to 255.

    Modified Keys:

    - img: (H, W, 4) int32, or float32 if it was.

    Args:
        superpixels (dict, optional): Config of the method. Defaults to None,
            that is ``dict(type='SEEDS', segment_size=16)``.
        to_rgb (bool): Whether images are BGR, as ``LoadImageFromFile`` loads
            them, and have to be converted for the method; the image itself
            stays BGR. Defaults to True.

    Example:
        >>> transform = GenerateSuperpixels(dict(type='Grid', segment_size=2))
        >>> image = np.full((2, 4, 3), 9, dtype=np.uint8)
        >>> transform(dict(img=image))['img'][0, :, 3]
        array([0, 0, 1, 1], dtype=int32)
    """

    def __init__(self,
                 superpixels: dict | None = None,
                 to_rgb: bool = True) -> None:
        if superpixels is None:
            superpixels = dict(type='SEEDS', segment_size=16)
        self.superpixels = SUPERPIXELS.build(superpixels)
        self.to_rgb = to_rgb

    def transform(self, results: dict) -> dict:
        """Replace the image by the image and its superpixels."""
        image = results['img']
        check_image(image)
        rgb = mmcv.bgr2rgb(image) if self.to_rgb else image
        tensor = torch.from_numpy(np.ascontiguousarray(rgb))
        labels = self.superpixels(tensor.permute(2, 0, 1)[None])[0]
        results['img'] = attach_segment_map(image, labels.numpy())
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(superpixels={self.superpixels}, '
                f'to_rgb={self.to_rgb})')
