"""Figure of a segment and the segments retrieved for it.

Legend: images are RGB in 0..255, (H, W, 3) uint8, of any size each; masks are
(H, W) bool.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmhierseg._base.checks import check_number

from .canvas import Panel, draw_grid
from .figure import fit_panel, font_size_for, resize_nearest
from .segments import boundary_mask, check_image_and_map

_LINE_COLOR = (255, 214, 10)
_POINT_COLOR = (230, 57, 70)
# Brightness of the image outside the segment, where it is grey.
_OUTSIDE = 0.5


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
                     panel_size: int = 240,
                     columns: int = 6) -> np.ndarray:
    """Figure of a query segment followed by its matches, RGB uint8.

    All pictures are as large as the largest of them; images of another shape
    have margins.

    Args:
        query (SegmentView): The query.
        matches (Sequence[SegmentView]): Retrieved segments, best first.
        header (str): Written at the top. Defaults to ''.
        panel_size (int): Longer side of each picture in pixels, at least 16.
            Defaults to 240.
        columns (int): Maximum number of pictures side by side, at least 2.
            Defaults to 6.
    """
    check_number('columns', columns, 2, whole=True)
    views = (query, *matches)
    drawn = [_draw(view, panel_size) for view in views]
    size = np.max([picture.shape for picture in drawn], axis=0)
    panels = []
    for picture, view in zip(drawn, views):
        before = (size - picture.shape) // 2
        margins = np.stack((before, size - picture.shape - before), axis=1)
        picture = np.pad(picture, margins, constant_values=255)
        panels.append(Panel(picture, view.title, view.note))
    first, *found = panels
    # Nothing stands below the query, so that the matches form one block.
    blank = Panel(np.full_like(first.picture, 255))
    rows = [[blank, *found[start:start + columns - 1]]
            for start in range(0, max(len(found), 1), columns - 1)]
    rows[0][0] = first
    return draw_grid(rows, header, font_size_for(first.picture))


def highlight_segment(image: np.ndarray, mask: np.ndarray,
                      line_width: int = 2) -> np.ndarray:
    """Outline a segment in a copy of the image whose rest is dark and grey.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        mask (np.ndarray): (H, W) bool, pixels of the segment.
        line_width (int): Width of the outline in pixels. Defaults to 2.

    Example:
        >>> image = np.full((1, 4, 3), 200, dtype=np.uint8)
        >>> mask = np.array([[True, True, False, False]])
        >>> highlight_segment(image, mask, line_width=1)[0, :, 0]
        array([200, 200, 255, 100], dtype=uint8)
    """
    image, labels = check_image_and_map(image, mask, 'mask', np.bool_)
    grey = np.rint(image.mean(axis=2, keepdims=True) * _OUTSIDE)
    drawn = np.where(labels[..., None], image, grey).astype(np.uint8)
    drawn[boundary_mask(labels, line_width)] = _LINE_COLOR
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
