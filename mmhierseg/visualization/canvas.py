"""Figures as grids of titled pictures.

Legend: pictures are RGB in 0..255, (h, w, 3) uint8, all of one size.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ['Panel', 'draw_grid', 'draw_legend']

_BACKGROUND = (255, 255, 255)
_TITLE_COLOR = (24, 24, 27)
_NOTE_COLOR = (113, 113, 122)


class Panel(NamedTuple):
    """A picture of the grid and its caption."""

    picture: np.ndarray
    title: str = ''  # dark, above the picture
    note: str = ''  # grey, behind the title, or below if both do not fit

    def fits_one_line(self, font_size: int) -> bool:
        """Whether title and note fit side by side."""
        text = f'{self.title}  {self.note}'
        return _length(text, font_size) <= self.picture.shape[1]


def draw_grid(rows: Sequence[Sequence[Panel]],
              header: str = '',
              font_size: int = 15) -> np.ndarray:
    """Draw rows of panels, which may differ in length, under one header.

    Columns are as wide as the pictures or the widest text, so that titles do
    not overlap.

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
    captions = [_caption_height(row, font_size) for row in rows]
    column = gap + max(width, *(_length(text, font_size) for panel in panels
                                for text in (panel.title, panel.note)))
    canvas = Image.new(
        'RGB', (gap + max(column * max(map(len, rows)), gap +
                          _length(header, font_size + 5)),
                top + sum(captions) + (height + gap) * len(rows)), _BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    _write(pen, (gap, gap), header, font_size + 5, _TITLE_COLOR)
    for caption, row in zip(captions, rows):
        for x, panel in enumerate(row):
            left = gap + x * column
            _draw_caption(pen, (left, top), panel, font_size)
            canvas.paste(Image.fromarray(panel.picture), (left, top + caption))
        top += caption + height + gap
    return np.array(canvas)


def draw_legend(entries: Sequence[tuple[str, tuple[int, ...]]],
                size: tuple[int, int],
                font_size: int = 15) -> np.ndarray:
    """Draw names and their colours as a picture of (height, width).

    Long names are truncated; the last line counts the entries that do not fit.
    """
    height, width = size
    line = font_size + font_size // 2
    room = max(height // line, 1)
    canvas = Image.new('RGB', (width, height), _BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    left = line + font_size // 4
    shown = len(entries) if len(entries) <= room else room - 1
    for i, (name, color) in enumerate(entries[:shown]):
        top = i * line
        pen.rectangle((0, top, font_size, top + font_size), tuple(color),
                      _NOTE_COLOR)
        _write(pen, (left, top), _shorten(name, width - left, font_size),
               font_size, _TITLE_COLOR)
    if shown < len(entries):
        text = f'and {len(entries) - shown} more'
        _write(pen, (left, (room - 1) * line),
               _shorten(text, width - left, font_size), font_size, _NOTE_COLOR)
    return np.array(canvas)


def _shorten(text: str, width: int, size: int) -> str:
    if _length(text, size) <= width:
        return text
    while text and _length(text + '…', size) > width:
        text = text[:-1]
    return text + '…'


def _caption_height(panels: Sequence[Panel], font_size: int) -> int:
    """Height above the pictures: none, one, or two lines of text."""
    if not any(panel.title or panel.note for panel in panels):
        return 0
    line = font_size + font_size // 2
    fits = all(panel.fits_one_line(font_size) for panel in panels)
    return line if fits else 2 * line


def _draw_caption(pen: ImageDraw.ImageDraw, corner: tuple[int, int],
                  panel: Panel, font_size: int) -> None:
    left, top = corner
    _write(pen, corner, panel.title, font_size, _TITLE_COLOR)
    if panel.fits_one_line(font_size):
        left += _length(f'{panel.title}  ', font_size) if panel.title else 0
    else:
        top += font_size + font_size // 3
    _write(pen, (left, top), panel.note, font_size, _NOTE_COLOR)


def _write(pen: ImageDraw.ImageDraw, corner: tuple[int, int], text: str,
           size: int, color: tuple[int, int, int]) -> None:
    pen.text(corner, text, fill=color, font=_font(size))


def _length(text: str, size: int) -> int:
    """Width of a text in pixels."""
    return int(np.ceil(_font(size).getlength(text)))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans of Matplotlib, the same on any machine."""
    from matplotlib import font_manager
    return ImageFont.truetype(font_manager.findfont('DejaVu Sans'), size)
