"""Figure of a segment and the segments retrieved for it.

Legend: images are RGB in 0..255, (H, W, 3) uint8, of any size each; masks are
(H, W) bool.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmhierseg.superpixels.base import check_number

from .canvas import Panel, draw_grid
from .figure import fit_panel, font_size_for, resize_nearest
from .segments import boundary_mask

__all__ = ['SegmentView', 'highlight_segment', 'retrieval_figure']

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
    """Written above it, dark."""
    note: str = ''
    """Written behind the title, grey."""
    point: tuple[int, int] | None = None


def retrieval_figure(query: SegmentView,
                     matches: Sequence[SegmentView],
                     header: str = '',
                     panel_size: int = 240,
                     columns: int = 6) -> np.ndarray:
    """Figure of a query segment followed by its matches.

    All pictures are as large as the largest of them; images of another shape
    have margins.

    Args:
        query (SegmentView): The query.
        matches (Sequence[SegmentView]): Retrieved segments, best first.
        header (str): Written at the top. Defaults to ''.
        panel_size (int): Longer side of each picture in pixels. Defaults to
            240.
        columns (int): Maximum number of pictures side by side. Defaults to 6.

    Returns:
        np.ndarray: The figure, (H', W', 3) uint8, RGB.

    Raises:
        TypeError: If an image is not uint8, a mask not bool, or a number not
            whole.
        ValueError: If a mask does not have the size of its image,
            ``panel_size`` is less than 16 or ``columns`` less than 2.
    """
    check_number('columns', columns, minimum=2, whole=True)
    views = (query, *matches)
    drawn = [_draw(view, panel_size) for view in views]
    size = np.max([picture.shape[:2] for picture in drawn], axis=0)
    first, *found = (
        Panel(_with_margins(picture, size), view.title, view.note)
        for picture, view in zip(drawn, views))
    # Nothing stands below the query, so that the matches form one block.
    blank = Panel(np.full_like(first.picture, 255))
    rows = [[blank, *found[start:start + columns - 1]]
            for start in range(0, max(len(found), 1), columns - 1)]
    rows[0][0] = first
    return draw_grid(rows, header, font_size_for(first.picture))


def highlight_segment(image: np.ndarray, mask: np.ndarray,
                      line_width: int = 2) -> np.ndarray:
    """Outline a segment and show the rest of the image dark and grey.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        mask (np.ndarray): (H, W) bool, pixels of the segment.
        line_width (int): Width of the outline in pixels. Defaults to 2.

    Returns:
        np.ndarray: (H, W, 3) uint8, a new array.

    Raises:
        TypeError: If ``image`` is not uint8 or ``mask`` not bool.
        ValueError: If the shapes are not (H, W, 3) and (H, W) with the same H
            and W.

    Example:
        >>> image = np.full((1, 4, 3), 200, dtype=np.uint8)
        >>> mask = np.array([[True, True, False, False]])
        >>> highlight_segment(image, mask, line_width=1)[0, :, 0]
        array([200, 200, 255, 100], dtype=uint8)
    """
    image, mask = np.asarray(image), np.asarray(mask)
    for name, array, dtype in (('image', image, np.uint8),
                               ('mask', mask, np.bool_)):
        if array.dtype != dtype:
            raise TypeError(f'`{name}` must be {np.dtype(dtype)}, got dtype '
                            f'{array.dtype}')
    if image.shape != (*mask.shape, 3) or mask.ndim != 2:
        raise ValueError('`image` and `mask` must have shapes (H, W, 3) and '
                         f'(H, W), got {image.shape} and {mask.shape}')
    grey = image.mean(axis=2, keepdims=True) * _OUTSIDE
    drawn = np.where(mask[..., None], image, np.rint(grey)).astype(np.uint8)
    drawn[boundary_mask(mask.astype(np.int64), line_width)] = _LINE_COLOR
    return drawn


def _draw(view: SegmentView, panel_size: int) -> np.ndarray:
    """Picture of a segment in its image, with a dot at the point."""
    if view.mask.shape != view.image.shape[:2]:
        raise ValueError('`mask` must be as large as `image`, '
                         f'{view.image.shape[:2]}, got {view.mask.shape}')
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


def _with_margins(picture: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Centre a picture on a white one."""
    before = (size - picture.shape[:2]) // 2
    after = size - picture.shape[:2] - before
    return np.pad(picture, (*zip(before, after), (0, 0)), constant_values=255)
