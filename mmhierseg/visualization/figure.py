"""One picture of an image's whole hierarchy, from fine to coarse.

Legend: H x W pixels; the image is RGB in 0..255, (H, W, 3) uint8; there is a
label map per level, (H, W) integer, negative = no segment.
"""

from typing import List, Optional, Sequence, Tuple

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

# Boundaries of the finest and of the coarsest level; levels between blend.
_FINE_COLOR = np.float32([255, 255, 255])
_COARSE_COLOR = np.float32([255, 214, 10])


def hierarchy_figure(image: np.ndarray,
                    label_maps: Sequence[np.ndarray],
                    titles: Optional[Sequence[str]] = None,
                    header: str = '',
                    panel_size: int = 320) -> np.ndarray:
    """Figure of an image and all levels of its hierarchy.

    Columns are the image and its levels, fine to coarse. The upper row shows
    each level's boundaries over the image, the lower row its segments in
    their mean colours; under the image itself are the boundaries of all levels
    at once, the coarser the bolder.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        label_maps (Sequence[np.ndarray]): (H, W) integer label map per level,
            level 0 (superpixels) first; negative = none.
        titles (Sequence[str], optional): Title per level. Defaults to
            None, "Superpixels", "Level 1", ...
        header (str): Written above everything, e.g. the file's name. Defaults
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
    check_number('panel_size', panel_size, minimum=16, whole=True)
    size = panel_shape(image.shape[:2], panel_size)
    small = resize(image, size)
    maps = [resize_nearest(labels, size) for labels in label_maps]
    upper, lower = level_columns(image, label_maps, titles, size)
    upper.insert(
        0, Panel(small, 'Image', '{1} x {0}'.format(*image.shape[:2])))
    lower.insert(0, Panel(draw_nested_boundaries(small, maps), 'All levels'))
    return draw_grid([upper, lower], header, font_size=font_size_for(size))


def level_columns(image: np.ndarray, label_maps: Sequence[np.ndarray],
                  titles: Sequence[str],
                  size: Tuple[int, int]) -> Tuple[List[Panel], List[Panel]]:
    """Two rows of panels: boundaries over the image, and mean colours.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        label_maps (Sequence[np.ndarray]): (H, W) integer label map per level,
            fine to coarse, negative = none.
        titles (Sequence[str]): Title per level.
        size (Tuple[int, int]): Height and width of a panel.

    Returns:
        Tuple[List[Panel], List[Panel]]: The upper and the lower row, a panel
        per level in each.
    """
    # Means are taken over all pixels of the image, before it is scaled.
    means = [mean_colors(image, labels) for labels in label_maps]
    small = resize(image, size)
    upper, lower = [], []
    colors = level_colors(len(label_maps))
    for i, labels in enumerate(label_maps):
        note = _count_note(count_segments(labels))
        bounds = draw_boundaries(
            small, resize_nearest(labels, size), colors[i], width=1 + (i > 0))
        upper.append(Panel(bounds, titles[i], note))
        lower.append(Panel(resize_nearest(means[i], size)))
    return upper, lower


def draw_nested_boundaries(image: np.ndarray,
                           label_maps: Sequence[np.ndarray]) -> np.ndarray:
    """Boundaries of all levels over one darkened image, coarser ones bolder.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        label_maps (Sequence[np.ndarray]): (H, W) integer label map per level,
            fine to coarse, negative = none.

    Returns:
        np.ndarray: (H, W, 3) uint8, a new array.
    """
    drawn = (image * np.float32(0.55)).astype(np.uint8)
    for level, color in enumerate(level_colors(len(label_maps))):
        mask = boundary_mask(label_maps[level], width=1 + level)
        drawn[mask] = color
    return drawn


def level_titles(num_levels: int) -> List[str]:
    """Titles of a hierarchy's levels, fine to coarse.

    Example:
        >>> level_titles(3)
        ['Superpixels', 'Level 1', 'Level 2']
    """
    return ['Superpixels'] + [f'Level {i}' for i in range(1, num_levels)]


def level_colors(num_levels: int) -> List[Tuple[int, ...]]:
    """Line colours of a hierarchy's levels, fine (white) to coarse (yellow).

    Example:
        >>> level_colors(2)
        [(255, 255, 255), (255, 214, 10)]
    """
    steps = np.linspace(0, 1, num_levels) if num_levels > 1 else [1.0]
    mixed = [(1 - t) * _FINE_COLOR + t * _COARSE_COLOR for t in steps]
    return [tuple(int(round(float(c))) for c in color) for color in mixed]


def _count_note(count: int) -> str:
    return f'{count} segment' + ('' if count == 1 else 's')


def font_size_for(size: Tuple[int, int]) -> int:
    """Height of letters that stay legible when the figure is shown small."""
    return int(np.clip(size[1] / 16, 11, 40))


def panel_shape(shape: Tuple[int, int], longer: int) -> Tuple[int, int]:
    """Height and width of a panel whose longer side is given."""
    scale = longer / max(shape)
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def resize(image: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Bring an image to a height and width."""
    pil = Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS)
    return np.asarray(pil)


def resize_nearest(array: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Nearest neighbour at pixel centres, for label maps and flat colours."""
    rows, cols = (((np.arange(n) + 0.5) * old / n).astype(int)
                  for n, old in zip(size, array.shape))
    return array[rows[:, None], cols]
