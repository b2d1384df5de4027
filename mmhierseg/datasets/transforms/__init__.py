"""Transforms for data pipelines: images, superpixels and segment maps."""

from .attach import AttachSegmentMap
from .generate_superpixels import GenerateSuperpixels
from .load_image import LoadImage
from .load_segment_map import LoadSegmentMap

__all__ = [
    'AttachSegmentMap', 'GenerateSuperpixels', 'LoadImage', 'LoadSegmentMap'
]
