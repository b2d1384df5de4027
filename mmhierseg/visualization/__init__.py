"""Figures of segments and hierarchies, as functions on NumPy arrays.

Arguments of another shape, dtype or range than documented raise a TypeError or
ValueError.
"""

from .colors import paint_levels, tree_colors
from .figure import (
    draw_nested_boundaries,
    hierarchy_figure,
    level_titles,
    map_shape,
    prediction_figure,
    sample_figure,
)
from .page import hierarchy_page, index_page
from .retrieval_figure import SegmentView, highlight_segment, retrieval_figure
from .retrieval_page import LevelImage, retrieval_page
from .segments import (
    boundary_mask,
    count_segments,
    draw_boundaries,
    mean_colors,
)

__all__ = [
    'LevelImage', 'SegmentView', 'boundary_mask', 'count_segments',
    'draw_boundaries', 'draw_nested_boundaries', 'hierarchy_figure',
    'hierarchy_page', 'highlight_segment', 'index_page', 'level_titles',
    'map_shape', 'mean_colors', 'paint_levels', 'prediction_figure',
    'retrieval_figure', 'retrieval_page', 'sample_figure', 'tree_colors'
]
