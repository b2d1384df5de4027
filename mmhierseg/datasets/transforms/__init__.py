"""Transforms for data pipelines: images, label maps, superpixels."""

from importlib.util import find_spec

from mmhierseg.registry import TRANSFORMS, register_placeholder

from .attach import AttachSegmentMap
from .generate import GenerateOverSegmentation, GenerateSuperpixels
from .load_ground_truth import LoadPanopticMap, LoadPartMap
from .load_image import LoadImage
from .load_segment_map import LoadSegmentMap
from .views import PadSegmentMap, ResizeOwnSize, Truncate

if find_spec('mmseg') is not None:
    from .human_segmentations import (
        LoadHumanSegmentations,
        PackHumanSegmentations,
    )
    from .load_camvid_map import LoadCamVidMap
    from .load_label_map import LoadLabelMap
else:
    (LoadCamVidMap, LoadHumanSegmentations, LoadLabelMap,
     PackHumanSegmentations) = (
         register_placeholder(name, 'mmseg', TRANSFORMS)
         for name in ('LoadCamVidMap', 'LoadHumanSegmentations',
                      'LoadLabelMap', 'PackHumanSegmentations'))

__all__ = [
    'AttachSegmentMap', 'GenerateOverSegmentation', 'GenerateSuperpixels',
    'LoadCamVidMap', 'LoadHumanSegmentations', 'LoadImage', 'LoadLabelMap',
    'LoadPanopticMap', 'LoadPartMap', 'LoadSegmentMap',
    'PackHumanSegmentations', 'PadSegmentMap', 'ResizeOwnSize', 'Truncate'
]
