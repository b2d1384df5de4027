"""Over-segmentation: the regions between the contours of an image.

Contour map, oriented watershed and ultrametric contour map, in NumPy, OpenCV
and scikit-image. For superpixels, which are smaller and of similar size, see
:mod:`mmhierseg.superpixels`.
"""

from .boundaries import RegionGraph, oriented_watershed
from .contours import (
    ContourMap,
    gradient_contours,
    load_structured_edges,
    ridge_directions,
    structured_edges,
)
from .oversegmenter import OverSegmenter
from .ultrametric import UltrametricContourMap

__all__ = [
    'ContourMap', 'OverSegmenter', 'RegionGraph', 'UltrametricContourMap',
    'gradient_contours', 'load_structured_edges', 'oriented_watershed',
    'ridge_directions', 'structured_edges'
]
