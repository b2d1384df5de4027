"""Data structures for hierarchies, passed between models and metrics."""

from .cast_output import CASTOutput, SegmentTokens
from .pred_hierarchy import add_hierarchy, restore_maps
from .segment_hierarchy import SegmentHierarchy

__all__ = [
    'CASTOutput', 'SegmentHierarchy', 'SegmentTokens', 'add_hierarchy',
    'restore_maps'
]
