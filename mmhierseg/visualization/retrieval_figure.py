"""Figure of a segment and the segments retrieved for it.

Legend: images are RGB in 0..255, (H, W, 3) uint8, of any size each; masks are
(H, W) bool.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .canvas import Panel, draw_grid
from .figure import fit_panel, font_size_for, resize_nearest
from .segments import boundary_mask, check_image_and_map

_LINE_COLOR = (255, 214, 10)
_POINT_COLOR = (230, 57, 70)
# Brightness of the image outside the segment, where it is grey.
_OUTSIDE = 0.5
_COLUMNS = 6  # pictures side by side


class SegmentView(NamedTuple):
    """A segment of an image, its caption, and a point (x, y) to mark."""

    image: np.ndarray
    """(H, W, 3) uint8, RGB."""
    mask: np.ndarray
    """(H, W) bool: pixels of the segment."""
    title: str = ''
    note: str = ''
    """Written behind the title, grey."""
    point: tuple[int, int] | None = None


def retrieval_figure(query: SegmentView,
                     matches: Sequence[SegmentView],
                     header: str = '',
                     panel_size: int = 240) -> np.ndarray:
    """Figure of a query segment followed by its matches, RGB uint8.

    At most six pictures are side by side. All are as large as the largest of
    them; images of another shape have margins.

    Args:
        query (SegmentView): The query.
        matches (Sequence[SegmentView]): Retrieved segments, best first.
        header (str): Written at the top.
        panel_size (int): Longer side of each picture in pixels, at least 16.
    """
    views = (query, *matches)
    drawn = [_draw(view, panel_size) for view in views]
    size = np.max([picture.shape for picture in drawn], axis=0)
    panels = []
    for picture, view in zip(drawn, views):
        before = (size - picture.shape) // 2
        margins = np.stack((before, size - picture.shape - before), axis=1)
        picture = np.pad(picture, margins, constant_values=255)
        panels.append(Panel(picture, view.title, view.note))
    # Nothing stands below the query, so that the matches form one block.
    blank = Panel(np.full_like(panels[0].picture, 255))
    rows = [panels[:_COLUMNS]]
    rows += [[blank, *panels[start:start + _COLUMNS - 1]]
             for start in range(_COLUMNS, len(panels), _COLUMNS - 1)]
    return draw_grid(rows, header, font_size_for(blank.picture))


def highlight_segment(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Outline a segment in a copy of the image whose rest is dark and grey.

    Where it touches the border of the image, the outline runs along it.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        mask (np.ndarray): (H, W) bool, pixels of the segment.

    Example:
        >>> image = np.full((6, 6, 3), 200, dtype=np.uint8)
        >>> mask = np.zeros((6, 6), bool)
        >>> mask[1:, :3] = True
        >>> highlight_segment(image, mask)[3, :, 0]
        array([255, 200, 255, 255, 100, 100], dtype=uint8)
    """
    image, labels = check_image_and_map(image, mask, 'mask', np.bool_)
    grey = np.rint(image.mean(axis=2, keepdims=True) * _OUTSIDE)
    drawn = np.where(labels[..., None], image, grey).astype(np.uint8)
    line = boundary_mask(labels, 2)
    for edge in ((0, ), (-1, ), (slice(None), 0), (slice(None), -1)):
        line[edge] |= labels[edge] > 0
    drawn[line] = _LINE_COLOR
    return drawn


def _draw(view: SegmentView, panel_size: int) -> np.ndarray:
    """Picture of a segment in its image, with a dot at the point."""
    check_image_and_map(view.image, view.mask, 'mask', np.bool_)
    small = fit_panel(view.image, panel_size)
    drawn = highlight_segment(small, resize_nearest(view.mask, small.shape))
    if view.point is not None:
        x, y = (int((place + 0.5) * new / old) for place, new, old in zip(
            view.point, small.shape[1::-1], view.image.shape[1::-1]))
        rows, columns = np.ogrid[:small.shape[0], :small.shape[1]]
        distance = np.hypot(rows - y, columns - x)
        radius = max(3, panel_size // 50)
        drawn[distance <= radius + 1.5] = 255
        drawn[distance <= radius] = _POINT_COLOR
    return drawn
