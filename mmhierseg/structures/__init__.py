"""Data structures for hierarchies, passed between models and metrics."""

from .cast_output import CASTOutput, SegmentTokens
from .merge_tree import cut_tree, merge_tree, token_distances
from .pred_hierarchy import add_hierarchy, restore_maps
from .segment_hierarchy import SegmentHierarchy

__all__ = [
    'CASTOutput', 'SegmentHierarchy', 'SegmentTokens', 'add_hierarchy',
    'cut_tree', 'merge_tree', 'restore_maps', 'token_distances'
]
