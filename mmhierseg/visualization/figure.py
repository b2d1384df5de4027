"""Figure of an image and its hierarchy, from fine to coarse.

Legend: H x W pixels; the image is RGB in 0..255, (H, W, 3) uint8; there is a
label map per level, (H, W) integer, negative = no segment.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mmhierseg.superpixels.base import check_number

from .canvas import Panel, draw_grid
from .segments import (
    boundary_mask,
    count_segments,
    draw_boundaries,
    mean_colors,
)

__all__ = ['draw_nested_boundaries', 'hierarchy_figure', 'level_titles']

# Boundaries of the finest and of the coarsest level; those between are mixed.
_FINE_COLOR = np.float32([255, 255, 255])
_COARSE_COLOR = np.float32([255, 214, 10])


def hierarchy_figure(image: np.ndarray,
                     label_maps: Sequence[np.ndarray],
                     titles: Sequence[str] | None = None,
                     header: str = '',
                     panel_size: int = 320) -> np.ndarray:
    """Figure of an image and all levels of its hierarchy.

    Columns are the image and its levels, fine to coarse. The upper row shows
    each level's boundaries over the image, the lower row its segments in their
    mean colours; below the image are the boundaries of all levels at once,
    coarser ones thicker.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        label_maps (Sequence[np.ndarray]): (H, W) integer label map per level,
            level 0 (superpixels) first; negative = none.
        titles (Sequence[str], optional): Title per level. Defaults to
            None, "Superpixels", "Level 1", ...
        header (str): Written at the top, e.g. the name of the file. Defaults
            to ''.
        panel_size (int): Longer side of each picture in pixels; lines keep
            their width whatever the image's size. Defaults to 320.

    Returns:
        np.ndarray: The figure, (H', W', 3) uint8, RGB.

    Raises:
        TypeError: If ``image`` is not uint8, a label map not integer, or
            ``panel_size`` not whole.
        ValueError: If there is no label map, shapes differ, the number of
            titles is not that of the label maps, or ``panel_size`` is less
            than 16.
    """
    if not len(label_maps):
        raise ValueError('`label_maps` must hold at least one level, got none')
    titles = level_titles(len(label_maps)) if titles is None else list(titles)
    if len(titles) != len(label_maps):
        raise ValueError('`titles` must have one entry per level, '
                         f'{len(label_maps)}, got {len(titles)}')
    small = fit_panel(image, panel_size)
    upper, lower = level_rows(image, label_maps, titles, small)
    upper.insert(0, image_panel(image, small))
    lower.insert(0, nested_panel(small, label_maps))
    return draw_grid([upper, lower], header, font_size_for(small))


def level_rows(image: np.ndarray, label_maps: Sequence[np.ndarray],
               titles: Sequence[str],
               small: np.ndarray) -> tuple[list[Panel], list[Panel]]:
    """Two rows of a panel per level: boundaries and mean colours.

    ``small`` is the image at the size of a panel.
    """
    upper, lower = [], []
    colors = _level_colors(len(label_maps))
    for i, labels in enumerate(label_maps):
        count = count_segments(labels)
        bounds = draw_boundaries(
            small, resize_nearest(labels, small.shape), colors[i],
            width=1 + (i > 0))
        upper.append(Panel(bounds, titles[i],
                           f'{count} segment' + 's' * (count != 1)))
        # Means are taken over all pixels of the image, before resizing.
        lower.append(
            Panel(resize_nearest(mean_colors(image, labels), small.shape)))
    return upper, lower


def image_panel(image: np.ndarray, small: np.ndarray) -> Panel:
    """Panel of the image itself."""
    return Panel(small, 'Image', f'{image.shape[1]} x {image.shape[0]}')


def nested_panel(small: np.ndarray,
                 label_maps: Sequence[np.ndarray]) -> Panel:
    """Panel of the boundaries of all levels."""
    maps = [resize_nearest(labels, small.shape) for labels in label_maps]
    return Panel(draw_nested_boundaries(small, maps), 'All levels')


def draw_nested_boundaries(image: np.ndarray,
                           label_maps: Sequence[np.ndarray]) -> np.ndarray:
    """Draw the boundaries of all levels over one darkened image.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        label_maps (Sequence[np.ndarray]): (H, W) integer label map per level,
            fine to coarse, negative = none; coarser ones get thicker lines.

    Returns:
        np.ndarray: (H, W, 3) uint8, a new array.
    """
    drawn = (image * np.float32(0.55)).astype(np.uint8)
    for level, color in enumerate(_level_colors(len(label_maps))):
        drawn[boundary_mask(label_maps[level], width=1 + level)] = color
    return drawn


def level_titles(num_levels: int) -> list[str]:
    """Titles of a hierarchy's levels, fine to coarse.

    Example:
        >>> level_titles(3)
        ['Superpixels', 'Level 1', 'Level 2']
    """
    return ['Superpixels'] + [f'Level {i}' for i in range(1, num_levels)]


def _level_colors(num_levels: int) -> list[tuple[int, ...]]:
    """Line colours, fine (white) to coarse (yellow)."""
    steps = np.linspace(0, 1, num_levels) if num_levels > 1 else [1.0]
    mixed = [(1 - t) * _FINE_COLOR + t * _COARSE_COLOR for t in steps]
    return [tuple(int(round(float(c))) for c in color) for color in mixed]


def font_size_for(picture: np.ndarray) -> int:
    """Height of letters that stay legible when the figure is shown small."""
    return int(np.clip(picture.shape[1] / 16, 11, 40))


def fit_panel(image: np.ndarray, panel_size: int) -> np.ndarray:
    """Resize an image to a longer side of ``panel_size``, at least 16."""
    check_number('panel_size', panel_size, minimum=16, whole=True)
    scale = panel_size / max(image.shape[:2])
    return resize(image, [max(1, round(n * scale)) for n in image.shape[:2]])


def resize(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize an image to a height and width."""
    pil = Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS)
    return np.asarray(pil)


def resize_nearest(array: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize a label map by nearest neighbour at pixel centres."""
    rows, cols = (((np.arange(n) + 0.5) * old / n).astype(int)
                  for n, old in zip(size[:2], array.shape))
    return array[rows[:, None], cols]
