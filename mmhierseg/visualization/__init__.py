"""Pictures of segments and hierarchies, as functions on NumPy arrays."""

from .segments import (
    boundary_mask,
    count_segments,
    draw_boundaries,
    mean_colors,
)
from .sheet import draw_nested_boundaries, hierarchy_sheet, level_titles

__all__ = [
    'boundary_mask', 'count_segments', 'draw_boundaries',
    'draw_nested_boundaries', 'hierarchy_sheet', 'level_titles', 'mean_colors'
]
