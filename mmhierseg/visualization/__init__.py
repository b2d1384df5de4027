"""Pictures of segments and hierarchies, as functions on NumPy arrays."""

from .prediction_sheet import prediction_sheet
from .retrieval_sheet import (
    SegmentView,
    highlight_segment,
    retrieval_sheet,
)
from .sample_sheet import map_shape, sample_sheet
from .segments import (
    boundary_mask,
    count_segments,
    draw_boundaries,
    mean_colors,
)
from .sheet import draw_nested_boundaries, hierarchy_sheet, level_titles

__all__ = [
    'SegmentView', 'boundary_mask', 'count_segments', 'draw_boundaries',
    'draw_nested_boundaries', 'hierarchy_sheet', 'highlight_segment',
    'level_titles', 'map_shape', 'mean_colors', 'prediction_sheet',
    'retrieval_sheet', 'sample_sheet'
]
