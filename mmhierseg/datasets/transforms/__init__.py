"""Transforms for data pipelines: images, label maps, superpixels."""

from .attach import AttachSegmentMap
from .generate_oversegmentation import GenerateOverSegmentation
from .generate_superpixels import GenerateSuperpixels
from .load_image import LoadImage
from .load_panoptic_map import LoadPanopticMap
from .load_part_map import LoadPartMap
from .load_segment_map import LoadSegmentMap
from .views import PadSegmentMap, ResizeOwnSize, Truncate

__all__ = [
    'AttachSegmentMap', 'GenerateOverSegmentation', 'GenerateSuperpixels',
    'LoadImage', 'LoadPanopticMap', 'LoadPartMap', 'LoadSegmentMap',
    'PadSegmentMap', 'ResizeOwnSize', 'Truncate'
]
