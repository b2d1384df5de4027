"""From an image to the map of its regions: all steps together."""

from functools import lru_cache

import numpy as np

from mmhierseg._base.checks import check_number

from .boundaries import oriented_watershed
from .contours import (
    gradient_contours,
    load_structured_edges,
    structured_edges,
)
from .ultrametric import UltrametricContourMap

#: OpenCV's detector cannot be pickled for the workers of a data loader.
_load = lru_cache(load_structured_edges)


class OverSegmenter:
    """Divides images into the regions between their contours.

    The over-segmentation of HSG (Ke et al., CVPR 2022), whose authors compute
    it in MATLAB: contours, oriented watershed, ultrametric contour map
    (Arbelaez et al., TPAMI 2011). The result for an image depends only on that
    image. With both options, the threshold is raised in steps of 0.01 until
    there are at most ``num_regions``. With neither, they are 0.25 and 48, as
    for HSG on VOC and COCO.

    Args:
        threshold (float, optional): Contours up to this strength, from 0 to 1,
            do not separate regions. Defaults to None.
        num_regions (int, optional): Maximum number of regions of an image.
            Defaults to None.
        edge_model (str, optional): File of OpenCV's model of Structured Edges,
            the authors' detector on VOC and COCO. Defaults to None, contours
            from colour gradients.

    Raises:
        TypeError, ValueError: If an option is out of range or no number, or
            the file is not a model.
        FileNotFoundError: If there is no such file.

    Example:
        >>> image = np.zeros((16, 24, 3), dtype=np.uint8)
        >>> image[:, 10:] = 255
        >>> OverSegmenter()(image)[5, ::4]
        array([0, 0, 0, 1, 1, 1], dtype=int32)
    """

    def __init__(self,
                 threshold: float | None = None,
                 num_regions: int | None = None,
                 edge_model: str | None = None) -> None:
        if threshold is not None:
            check_number('threshold', threshold, 0, 1)
        if num_regions is not None:
            check_number('num_regions', num_regions, 1, whole=True)
        if threshold is None and num_regions is None:
            threshold, num_regions = 0.25, 48
        self.threshold = threshold
        self.num_regions = num_regions
        self.edge_model = edge_model
        if edge_model is not None:
            _load(edge_model)

    def ultrametric_contour_map(self,
                                image: np.ndarray) -> UltrametricContourMap:
        """Regions of an image, (H, W, 3) uint8 RGB, at every level."""
        contours = (
            gradient_contours(image) if self.edge_model is None else
            structured_edges(image, _load(self.edge_model)))
        return UltrametricContourMap(oriented_watershed(contours))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Divide an image, (H, W, 3) uint8 RGB, into regions.

        Returns:
            np.ndarray: (H, W) int32, 0..N-1, every region in use and
            connected, numbered in the order of their first pixels.

        Raises:
            TypeError, ValueError: If ``image`` is no such array.
        """
        return self.ultrametric_contour_map(image).labels(
            self.threshold, self.num_regions)
