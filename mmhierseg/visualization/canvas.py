"""Arranges titled pictures in a grid: what a figure is made of.

Legend: pictures are RGB in 0..255, (h, w, 3) uint8, all of one size.
"""

from functools import cache
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ['Panel', 'draw_grid', 'draw_key']

_BACKGROUND = (255, 255, 255)
_TITLE_COLOR = (24, 24, 27)
_NOTE_COLOR = (113, 113, 122)


class Panel(NamedTuple):
    """A picture of the grid and what is written above it."""

    picture: np.ndarray
    """(h, w, 3) uint8, RGB."""

    title: str = ''
    """Written above the picture, dark."""

    note: str = ''
    """Written behind the title, or below where both do not fit, grey."""


def draw_grid(rows: Sequence[Sequence[Panel]],
              header: str = '',
              font_size: int = 15) -> np.ndarray:
    """Draw rows of panels under one header.

    Columns are as wide as the pictures, or as the widest text where that is
    more: titles never run into each other.

    Args:
        rows (Sequence[Sequence[Panel]]): Rows of panels, all pictures of one
            size; rows may differ in length.
        header (str): Written once above everything. Defaults to ''.
        font_size (int): Height of the titles in pixels. Defaults to 15.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If there is no panel, or pictures differ in size.
    """
    panels = [panel for row in rows for panel in row]
    if not panels:
        raise ValueError('`rows` must hold at least one panel, got none')
    sizes = {panel.picture.shape[:2] for panel in panels}
    if len(sizes) > 1:
        raise ValueError('`rows` must hold pictures of one size, got '
                         f'{sorted(sizes)}')
    height, width = sizes.pop()
    gap = font_size
    top = gap + (2 * font_size + gap // 2 if header else 0)
    # Rows without any text come closer.
    captions = [_caption_height(row, width, font_size) for row in rows]
    column = gap + max(width, _text_width(panels, font_size))
    canvas = Image.new(
        'RGB', (gap + max(column * max(map(len, rows)), gap +
                          _length(header, font_size + 5)),
                top + sum(captions) + (height + gap) * len(rows)), _BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    _write(pen, (gap, gap), header, font_size + 5, _TITLE_COLOR)
    for caption, row in zip(captions, rows):
        for x, panel in enumerate(row):
            corner = (gap + x * column, top)
            _draw_caption(pen, corner, panel, width, font_size)
            canvas.paste(
                Image.fromarray(panel.picture),
                (corner[0], top + caption))
        top += caption + height + gap
    return np.array(canvas)


def draw_key(entries: Sequence[Tuple[str, Tuple[int, ...]]],
             size: Tuple[int, int],
             font_size: int = 15) -> np.ndarray:
    """Draw what colours mean, as a picture among others.

    Args:
        entries (Sequence[Tuple[str, Tuple[int, ...]]]): Names and colours,
            RGB in 0..255, the important ones first.
        size (Tuple[int, int]): Height and width of the picture. Names that
            are too long end in dots; entries that find no place are counted
            in the last line.
        font_size (int): Height of the letters in pixels. Defaults to 15.

    Returns:
        np.ndarray: (height, width, 3) uint8, RGB.
    """
    height, width = size
    line = font_size + font_size // 2
    room = max(height // line, 1)
    canvas = Image.new('RGB', (width, height), _BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    left = line + font_size // 4
    hidden = len(entries) - room + 1 if len(entries) > room else 0
    for i, (name, color) in enumerate(entries[:len(entries) - hidden]):
        top = i * line
        pen.rectangle((0, top, font_size, top + font_size), tuple(color),
                      _NOTE_COLOR)
        _write(pen, (left, top), _shorten(name, width - left, font_size),
               font_size, _TITLE_COLOR)
    if hidden:
        text = _shorten(f'and {hidden} more', width - left, font_size)
        _write(pen, (left, (room - 1) * line), text, font_size, _NOTE_COLOR)
    return np.array(canvas)


def _shorten(text: str, width: int, size: int) -> str:
    """The text, or as much of its beginning as fits."""
    if _length(text, size) <= width:
        return text
    while text and _length(text + '…', size) > width:
        text = text[:-1]
    return text + '…'


def _caption_height(panels: Sequence[Panel], width: int,
                    font_size: int) -> int:
    """Height above the pictures: none, one, or two lines of text."""
    if not any(panel.title or panel.note for panel in panels):
        return 0
    line = font_size + font_size // 2
    fits = all(_fits_one_line(panel, width, font_size) for panel in panels)
    return line if fits else 2 * line


def _text_width(panels: List[Panel], font_size: int) -> int:
    """Width of the widest title or note."""
    return max(
        _length(text, font_size) for panel in panels
        for text in (panel.title, panel.note))


def _fits_one_line(panel: Panel, width: int, font_size: int) -> bool:
    return _length(f'{panel.title}  {panel.note}', font_size) <= width


def _draw_caption(pen: ImageDraw.ImageDraw, corner: Tuple[int, int],
                  panel: Panel, width: int, font_size: int) -> None:
    left, top = corner
    _write(pen, corner, panel.title, font_size, _TITLE_COLOR)
    if _fits_one_line(panel, width, font_size):
        left += _length(f'{panel.title}  ', font_size) if panel.title else 0
    else:
        top += font_size + font_size // 3
    _write(pen, (left, top), panel.note, font_size, _NOTE_COLOR)


def _write(pen: ImageDraw.ImageDraw, corner: Tuple[int, int], text: str,
           size: int, color: Tuple[int, int, int]) -> None:
    pen.text(corner, text, fill=color, font=_font(size))


def _length(text: str, size: int) -> int:
    """Width of a text in pixels."""
    return int(np.ceil(_font(size).getlength(text)))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib ships: the same figure on any machine."""
    from matplotlib import font_manager
    return ImageFont.truetype(font_manager.findfont('DejaVu Sans'), size)
