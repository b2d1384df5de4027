"""Figures as grids of titled pictures.

Legend: pictures are RGB in 0..255, (h, w, 3) uint8, all of one size.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_BACKGROUND = (255, 255, 255)
_TITLE_COLOR = (24, 24, 27)
_NOTE_COLOR = (113, 113, 122)
_FRAME_COLOR = (161, 161, 170)


class Panel(NamedTuple):
    """A picture of the grid and its caption."""
    picture: np.ndarray
    title: str = ''  # dark, above the picture
    note: str = ''  # grey, behind the title, or below if both do not fit

    def count_lines(self, font_size: int) -> int:
        """Lines of the caption; title and note may fit side by side."""
        if not (self.title or self.note):
            return 0
        length = _length(f'{self.title}  {self.note}', font_size)
        return 1 + (length > self.picture.shape[1])


def draw_grid(rows: Sequence[Sequence[Panel]],
              header: str = '',
              font_size: int = 15) -> np.ndarray:
    """Draw rows of panels, which may differ in length, under one header.

    Columns are as wide as the pictures or the widest text, so that titles do
    not overlap.
    """
    panels = [panel for row in rows for panel in row]
    height, width = panels[0].picture.shape[:2]
    gap = font_size
    top = gap + (2 * font_size + gap // 2 if header else 0)
    # None, one or two lines of text.
    captions = [
        (font_size + font_size // 2) * max(
            panel.count_lines(font_size) for panel in row) for row in rows
    ]
    column = gap + max(width, *(_length(text, font_size) for panel in panels
                                for text in (panel.title, panel.note)))
    canvas = Image.new(
        'RGB', (gap + max(column * max(map(len, rows)), gap +
                          _length(header, font_size + 5)),
                top + sum(captions) + (height + gap) * len(rows)), _BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    pen.text((gap, gap), header, _TITLE_COLOR, _font(font_size + 5))
    for caption, row in zip(captions, rows):
        for x, panel in enumerate(row):
            left = gap + x * column
            pen.text((left, top), panel.title, _TITLE_COLOR, _font(font_size))
            note = [left, top]
            if panel.count_lines(font_size) > 1:
                note[1] += font_size + font_size // 3
            elif panel.title:
                note[0] += _length(f'{panel.title}  ', font_size)
            pen.text(note, panel.note, _NOTE_COLOR, _font(font_size))
            place = (left, top + caption)
            canvas.paste(Image.fromarray(panel.picture), place)
            # A white picture has an edge, too.
            pen.rectangle((place[0] - 1, place[1] - 1, left + width,
                           place[1] + height), outline=_FRAME_COLOR)
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
    lines = [(name, color, _TITLE_COLOR) for name, color in entries]
    if len(lines) > room:
        lines[room - 1:] = [
            (f'and {len(lines) - room + 1} more', None, _NOTE_COLOR)]
    for i, (text, color, text_color) in enumerate(lines):
        top = i * line
        if color is not None:
            pen.rectangle((0, top, font_size, top + font_size), tuple(color),
                          _NOTE_COLOR)
        while _length(text, font_size) > width - left and text != '…':
            text = text.removesuffix('…')[:-1] + '…'
        pen.text((left, top), text, text_color, _font(font_size))
    return np.array(canvas)


def _length(text: str, size: int) -> int:
    """Width of a text in pixels."""
    return int(np.ceil(_font(size).getlength(text)))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans of Matplotlib, the same on any machine."""
    from matplotlib import font_manager
    return ImageFont.truetype(font_manager.findfont('DejaVu Sans'), size)
