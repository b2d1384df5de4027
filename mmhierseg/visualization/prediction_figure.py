"""One picture of what is true of an image, what is predicted, and how.

The upper row shows the image, its ground truth, the prediction and what their
colours mean; below are the levels of the hierarchy, from fine to coarse.

Legend: H x W pixels; the image is RGB in 0..255, (H, W, 3) uint8; maps are
(H, W) integer.
"""

from typing import List, Optional, Sequence, Tuple

import numpy as np

from mmhierseg.superpixels.base import check_number

from .canvas import Panel, draw_grid, draw_key
from .colors import distinct_colors
from .figure import (
    draw_nested_boundaries,
    font_size_for,
    level_columns,
    level_titles,
    panel_shape,
    resize,
    resize_nearest,
)

__all__ = ['prediction_figure']

# How much of a class's colour covers the image, which stays to be seen.
_OPACITY = 0.65


def prediction_figure(image: np.ndarray,
                     label_maps: Sequence[np.ndarray] = (),
                     target: Optional[np.ndarray] = None,
                     prediction: Optional[np.ndarray] = None,
                     classes: Optional[Sequence[str]] = None,
                     palette: Optional[Sequence[Sequence[int]]] = None,
                     header: str = '',
                     panel_size: int = 320,
                     ignore_index: int = 255) -> np.ndarray:
    """Figure of an image, its truth, the prediction and the hierarchy.

    What is not given is left out.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        label_maps (Sequence[np.ndarray]): (H, W) integer label map per level,
            level 0 (superpixels) first; negative = none. Defaults to (),
            no hierarchy.
        target (np.ndarray, optional): (H, W) integer, true classes; pixels
            of ``ignore_index``, or of no class, show the image without a
            colour. Defaults to None.
        prediction (np.ndarray, optional): (H, W) integer, predicted classes.
            Defaults to None.
        classes (Sequence[str], optional): Names of the classes. Defaults to
            None, their numbers.
        palette (Sequence[Sequence[int]], optional): RGB of each class, in
            0..255. Defaults to None, colours that are far apart.
        header (str): Written above everything. Defaults to ''.
        panel_size (int): Longer side of each picture in pixels.
            Defaults to 320.
        ignore_index (int): Of the ground truth. Defaults to 255.

    Returns:
        np.ndarray: The figure, (H', W', 3) uint8, RGB.

    Raises:
        TypeError: If ``image`` is not uint8, a map not integer, or
            ``panel_size`` not whole.
        ValueError: If shapes differ, or ``panel_size`` is less than 16.
    """
    check_number('panel_size', panel_size, minimum=16, whole=True)
    for name, labels in (('target', target), ('prediction', prediction)):
        if labels is not None:
            _check_classes(name, labels, image)
    size = panel_shape(image.shape[:2], panel_size)
    small = resize(image, size)
    upper = [Panel(small, 'Image', '{1} x {0}'.format(*image.shape[:2]))]
    shown = [(name, labels) for name, labels in (
        ('Ground truth', target), ('Prediction', prediction))
        if labels is not None]
    colors = _colors([labels for _, labels in shown], palette, ignore_index)
    for name, labels in shown:
        note = ''
        if name == 'Prediction' and target is not None:
            note = _accuracy(prediction, target, ignore_index)
        upper.append(Panel(_blend(small, labels, colors), name, note))
    rows: List[List[Panel]] = [upper]
    if len(label_maps):
        small_maps = [resize_nearest(labels, size) for labels in label_maps]
        upper.append(
            Panel(draw_nested_boundaries(small, small_maps), 'All levels'))
        rows += level_columns(image, label_maps,
                              level_titles(len(label_maps)), size)
    if shown:
        key = _key([labels for _, labels in shown], colors, classes)
        upper.append(Panel(draw_key(key, size, font_size_for(size)),
                           'Classes'))
    return draw_grid(rows, header, font_size=font_size_for(size))


def _colors(maps: Sequence[np.ndarray],
            palette: Optional[Sequence[Sequence[int]]],
            ignore_index: int) -> np.ndarray:
    """(K, 3) uint8: colour of each class, those beyond the palette too."""
    largest = max((int(labels[labels != ignore_index].max(initial=0))
                   for labels in maps), default=0)
    colors = distinct_colors(largest + 1)
    if palette is not None and len(palette):
        given = np.array(palette, dtype=np.uint8)
        # The ignored label is of no class, even where it is a small number.
        colors = np.concatenate([given, colors[len(given):]])
    return colors


def _blend(image: np.ndarray, labels: np.ndarray,
           colors: np.ndarray) -> np.ndarray:
    """Class colours over the grey image; no colour where there is none."""
    labels = resize_nearest(labels, image.shape[:2])
    grey = image.mean(axis=2, keepdims=True)
    known = (labels >= 0) & (labels < len(colors))
    over = colors[np.where(known, labels, 0)]
    mixed = np.where(known[..., None],
                     _OPACITY * over + (1 - _OPACITY) * grey, image)
    return np.rint(mixed).astype(np.uint8)


def _key(maps: Sequence[np.ndarray], colors: np.ndarray,
         classes: Optional[Sequence[str]]
         ) -> List[Tuple[str, Tuple[int, ...]]]:
    """Name and colour of each class that a map shows, frequent ones first."""
    labels = np.concatenate([array.ravel() for array in maps])
    labels = labels[(labels >= 0) & (labels < len(colors))]
    found, counts = np.unique(labels, return_counts=True)
    names = list(classes or ())
    return [(names[i] if i < len(names) else f'class {i}',
             tuple(int(c) for c in colors[i]))
            for i in found[np.argsort(-counts, kind='stable')]]


def _accuracy(prediction: np.ndarray, target: np.ndarray,
              ignore_index: int) -> str:
    known = target != ignore_index
    if not known.any():
        return ''
    return f'{100 * (prediction == target)[known].mean():.1f} % right'


def _check_classes(name: str, labels: np.ndarray, image: np.ndarray) -> None:
    if not np.issubdtype(np.asarray(labels).dtype, np.integer):
        raise TypeError(f'`{name}` must be an integer array, got dtype '
                        f'{np.asarray(labels).dtype}')
    if labels.shape != image.shape[:2]:
        raise ValueError(f'`{name}` must be as large as `image`, '
                         f'{image.shape[:2]}, got {labels.shape}')
