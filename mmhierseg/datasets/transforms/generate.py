"""Superpixels and over-segmentations in the data pipeline, on the CPU."""

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmhierseg.oversegmentation import OverSegmenter
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
        truncate (bool): Whether float images are truncated for the method, as
            in CAST's code, instead of rounded; the image itself is not
            changed. Defaults to False.

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


@TRANSFORMS.register_module()
class GenerateOverSegmentation(BaseTransform):
    """Divide the image into the regions between its contours.

    Takes the place of :class:`LoadSegmentMap` for small datasets: it comes
    right after the image is loaded, and geometric transforms carry the map
    along, so that a region keeps its label in all views of the image. A
    photograph of 640 x 480 pixels takes some tenths of a second each time; for
    large datasets, ``tools/dataset_converters/generate_oversegmentation.py``
    does it once.

    Required Keys:

    - img: (H, W, 3) uint8, or float32 with values from 0 to 255.

    Added Keys:

    - segment_map: (H, W) int32 (unless ``attach``).

    Modified Keys:

    - seg_fields (unless ``attach``)
    - img (if ``attach``)

    Args:
        threshold, num_regions, edge_model: See
            :class:`~mmhierseg.oversegmentation.OverSegmenter`.
        to_rgb (bool): Whether images are BGR, as ``LoadImageFromFile`` loads
            them. Defaults to True.
        attach (bool): Whether to make the map a part of the image at once.
            Defaults to False.

    Example:
        >>> image = np.zeros((16, 24, 3), dtype=np.uint8)
        >>> image[:, 10:] = 255
        >>> results = GenerateOverSegmentation()(dict(img=image))
        >>> results['segment_map'][5, ::4], results['seg_fields']
        (array([0, 0, 0, 1, 1, 1], dtype=int32), ['segment_map'])
    """

    def __init__(self,
                 threshold: float | None = None,
                 num_regions: int | None = None,
                 edge_model: str | None = None,
                 to_rgb: bool = True,
                 attach: bool = False) -> None:
        self.segmenter = OverSegmenter(threshold, num_regions, edge_model)
        self.to_rgb = to_rgb
        self.attach = attach

    def transform(self, results: dict) -> dict:
        """Add the regions of ``results['img']``."""
        image = results['img']
        check_image(image)
        rgb = image[..., ::-1] if self.to_rgb else image
        # As superpixels, regions come from the 256 levels of a photograph.
        rgb = np.ascontiguousarray(rgb.round().clip(0, 255), dtype=np.uint8)
        return add_segment_map(results, self.segmenter(rgb), self.attach)
