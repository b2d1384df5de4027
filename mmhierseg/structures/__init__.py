"""Structures that carry a hierarchy between backbones, heads and metrics."""

from .cast_output import CASTOutput
from .segment_hierarchy import SegmentHierarchy
from .segment_tokens import SegmentTokens

__all__ = ['CASTOutput', 'SegmentHierarchy', 'SegmentTokens']
