"""Structures that carry a hierarchy between backbones, heads and metrics."""

from .cast_output import CASTOutput
from .pred_hierarchy import add_hierarchy, restore_maps
from .segment_hierarchy import SegmentHierarchy
from .segment_tokens import SegmentTokens

__all__ = [
    'CASTOutput', 'SegmentHierarchy', 'SegmentTokens', 'add_hierarchy',
    'restore_maps'
]
