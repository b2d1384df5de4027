"""Transforms for data pipelines: images, label maps, superpixels."""

from .attach import AttachSegmentMap
from .generate import GenerateOverSegmentation, GenerateSuperpixels
from .load_image import LoadImage
from .load_panoptic_map import LoadPanopticMap
from .load_part_map import LoadPartMap
from .load_segment_map import LoadSegmentMap

__all__ = [
    'AttachSegmentMap', 'GenerateOverSegmentation', 'GenerateSuperpixels',
    'LoadImage', 'LoadPanopticMap', 'LoadPartMap', 'LoadSegmentMap'
]
