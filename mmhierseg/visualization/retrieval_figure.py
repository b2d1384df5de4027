"""One picture of a segment and of those of other images that are like it.

Legend: images are RGB in 0..255, (H, W, 3) uint8, of any size each; masks are
(H, W) bool.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from mmhierseg.superpixels.base import check_number

from .canvas import Panel, draw_grid
from .figure import font_size_for, panel_shape, resize, resize_nearest
from .segments import boundary_mask

__all__ = ['SegmentView', 'highlight_segment', 'retrieval_figure']

_LINE_COLOR = (255, 214, 10)
_POINT_COLOR = (230, 57, 70)
# What of the image is left outside the segment: grey, and so bright.
_OUTSIDE = 0.5


class SegmentView(NamedTuple):
    """A segment of an image, as it stands on a figure."""

    image: np.ndarray
    """(H, W, 3) uint8, RGB."""

    mask: np.ndarray
    """(H, W) bool: pixels of the segment."""

    title: str = ''
    """Written above it, dark."""

    note: str = ''
    """Written behind the title, grey."""

    point: Optional[Tuple[int, int]] = None
    """(x, y) to mark, or None."""


def retrieval_figure(query: SegmentView,
                    matches: Sequence[SegmentView],
                    header: str = '',
                    panel_size: int = 240,
                    columns: int = 6) -> np.ndarray:
    """Figure of a segment and, in the order given, of those found for it.

    The segment stands first. Pictures are as large as the largest of them;
    images of another shape have margins.

    Args:
        query (SegmentView): The segment that was looked for.
        matches (Sequence[SegmentView]): Those found, the best ones first.
        header (str): Written above everything. Defaults to ''.
        panel_size (int): Longer side of each picture in pixels. Defaults to
            240.
        columns (int): Most pictures side by side. Defaults to 6.

    Returns:
        np.ndarray: The figure, (H', W', 3) uint8, RGB.

    Raises:
        TypeError: If an image is not uint8, a mask not bool, or a number not
            whole.
        ValueError: If a mask has not its image's size, ``panel_size`` is less
            than 16 or ``columns`` less than 2.
    """
    check_number('panel_size', panel_size, minimum=16, whole=True)
    check_number('columns', columns, minimum=2, whole=True)
    drawn = [_draw(view, panel_size) for view in (query, *matches)]
    size = tuple(np.max([picture.shape[:2] for picture in drawn], axis=0))
    first, *found = (
        Panel(_with_margins(picture, size), view.title, view.note)
        for picture, view in zip(drawn, (query, *matches)))
    # Below the query nothing stands, so that what was found is one block.
    blank = Panel(np.full_like(first.picture, 255))
    width = columns - 1
    rows: List[List[Panel]] = [[first, *found[:width]]]
    rows += [[blank, *found[start:start + width]]
             for start in range(width, len(found), width)]
    return draw_grid(rows, header, font_size=font_size_for(size))


def highlight_segment(image: np.ndarray, mask: np.ndarray,
                      line_width: int = 2) -> np.ndarray:
    """An image that is dark and grey but for a segment, which has an outline.

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


def _draw(view: SegmentView, longer: int) -> np.ndarray:
    """A picture of a segment in its image."""
    size = panel_shape(view.image.shape[:2], longer)
    if view.mask.shape != view.image.shape[:2]:
        raise ValueError('`mask` must be as large as `image`, '
                         f'{view.image.shape[:2]}, got {view.mask.shape}')
    drawn = highlight_segment(
        resize(view.image, size), resize_nearest(view.mask, size))
    if view.point is not None:
        x, y = (int((place + 0.5) * new / old) for place, new, old in zip(
            view.point, size[::-1], view.image.shape[1::-1]))
        _mark(drawn, x, y, max(3, longer // 50))
    return drawn


def _with_margins(picture: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """The picture in the middle of a white one."""
    canvas = np.full((*size, 3), 255, dtype=np.uint8)
    height, width = picture.shape[:2]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas[top:top + height, left:left + width] = picture
    return canvas


def _mark(picture: np.ndarray, x: int, y: int, radius: int) -> None:
    """Draw a dot with a white ring, in place."""
    rows, columns = np.ogrid[:picture.shape[0], :picture.shape[1]]
    distance = np.hypot(rows - y, columns - x)
    picture[distance <= radius + 1.5] = 255
    picture[distance <= radius] = _POINT_COLOR
