"""Over-segmentation in the data pipeline, on the CPU."""


import numpy as np
from mmcv.transforms import BaseTransform

from mmhierseg.oversegmentation import OverSegmenter
from mmhierseg.registry import TRANSFORMS

from .attach import add_segment_map, check_image


@TRANSFORMS.register_module()
class GenerateOverSegmentation(BaseTransform):
    """Divide the image into the regions between its contours.

    Takes the place of :class:`LoadSegmentMap` for small datasets and for
    generated ones: it comes right after the image is loaded, and geometric
    transforms carry the map along, so that a region keeps its label in all
    views of the image. A photograph of 640 x 480 pixels takes some tenths of
    a second each time; for large datasets,
    ``tools/dataset_converters/generate_oversegmentation.py`` does it once.

    Required Keys:

    - img: (H, W, 3) uint8, or float32 with values from 0 to 255.

    Added Keys:

    - segment_map: (H, W) int32 (unless ``attach``).

    Modified Keys:

    - seg_fields (unless ``attach``)
    - img (if ``attach``)

    Args:
        threshold (float, optional): Contours that are not stronger, from 0 to
            1, do not separate regions. Defaults to None.
        num_regions (int, optional): Maximum number of regions. Defaults to
            None. If both are None, they are those of HSG, 0.25 and 48.
        edge_model (str, optional): File of OpenCV's model of Structured
            Edges. Defaults to None: contours come from colour gradients.
        to_rgb (bool): Whether images are BGR, as ``LoadImageFromFile`` loads
            them by default, and have to be converted for the method.
            Defaults to True.
        attach (bool): Whether to make the map a part of the image at once.
            Defaults to False.

    Raises:
        TypeError: If an argument is no number.
        ValueError: If it is out of range.
        FileNotFoundError: If there is no file ``edge_model``.

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
        """Add the regions of ``results['img']``.

        Raises:
            TypeError: If the image is no array, or of another dtype.
            UserError: If it is not (H, W, 3), or carries a map already.
        """
        image = results['img']
        check_image(image)
        rgb = image[..., ::-1] if self.to_rgb else image
        # As superpixels, regions come from the 256 levels of a photograph.
        rgb = np.ascontiguousarray(rgb.round().clip(0, 255), dtype=np.uint8)
        return add_segment_map(results, self.segmenter(rgb), self.attach)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(segmenter={self.segmenter}, '
                f'to_rgb={self.to_rgb}, attach={self.attach})')
