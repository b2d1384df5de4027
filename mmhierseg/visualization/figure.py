"""Figures of an image, its hierarchy, its ground truth and the prediction.

Legend: H x W pixels; the image is RGB in 0..255, (H, W, 3) uint8; label maps,
one per level from fine to coarse, are (H, W) integer, negative = no segment.
"""

from collections.abc import Sequence

import numpy as np
from mmengine.structures import BaseDataElement
from PIL import Image

from mmhierseg._base.checks import check_number

from . import segments
from .canvas import Panel, draw_grid, draw_legend
from .colors import paint_levels

# Boundaries of the finest and of the coarsest level; those between are mixed.
_FINE_COLOR = np.float32([255, 255, 255])
_COARSE_COLOR = np.float32([255, 214, 10])
# Opacity of the class colours over the image.
_OPACITY = 0.65
# Wider images than this have a row for each level.
_WIDE = 2.
_IGNORE_INDEX = 255  # of the ground truth


def hierarchy_figure(image: np.ndarray,
                     label_maps: Sequence[np.ndarray],
                     titles: Sequence[str] | None = None,
                     header: str = '',
                     panel_size: int = 320,
                     colors: str | Sequence[np.ndarray] = 'tree',
                     counts: Sequence[int] | None = None) -> np.ndarray:
    """Figure of an image and all levels of its hierarchy, RGB uint8.

    The image and its levels, fine to coarse, each twice: its boundaries over
    the image, and its segments in colours that are shades of their parent's,
    or in their mean colours. With the image are the boundaries of all levels
    at once, coarser ones thicker. Levels are columns or, of a wide image,
    rows.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        label_maps (Sequence[np.ndarray]): (H, W) integer label map per level,
            at least one, level 0 (superpixels) first; negative = none.
        titles (Sequence[str], optional): Title per level. None:
            "Superpixels", "Level 1", ...
        header (str): Written at the top.
        panel_size (int): Longer side of each picture in pixels, at least 16;
            lines keep their width.
        colors (str | Sequence[np.ndarray]): Of the segments, 'tree' or 'mean',
            or per level (N_l, 3) uint8, RGB.
        counts (Sequence[int], optional): Number of segments per level. None:
            they are counted.
    """
    if isinstance(colors, str) and colors not in ('tree', 'mean'):
        raise ValueError(f"`colors` must be 'tree' or 'mean', got {colors!r}")
    titles = level_titles(len(label_maps)) if titles is None else titles
    if len(titles) != len(label_maps):
        raise ValueError('`label_maps` and `titles` must be of one length and '
                         f'not empty, got {len(label_maps)}, {len(titles)}')
    small = fit_panel(image, panel_size)
    upper, lower = _level_rows(image, label_maps, titles, small, colors,
                               counts)
    upper.insert(0, _image_panel(image, small))
    lower.insert(0, _nested_panel(small, label_maps))
    rows = [upper, lower]
    if small.shape[1] > _WIDE * small.shape[0]:
        rows = [list(row) for row in zip(*rows)]
    return draw_grid(rows, header, font_size_for(small))


def prediction_figure(image: np.ndarray,
                      label_maps: Sequence[np.ndarray] = (),
                      target: np.ndarray | None = None,
                      prediction: np.ndarray | None = None,
                      classes: Sequence[str] | None = None,
                      palette: Sequence[Sequence[int]] | None = None,
                      header: str = '',
                      panel_size: int = 320) -> np.ndarray:
    """Figure of an image, its ground truth, prediction and hierarchy.

    The upper row shows the image, ground truth, prediction and their legend;
    below are the levels of the hierarchy. Panels are drawn for the arguments
    that are given. Returns RGB uint8.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        label_maps (Sequence[np.ndarray]): (H, W) integer label map per level,
            level 0 (superpixels) first; negative = none.
        target (np.ndarray, optional): (H, W) integer, true classes; pixels
            of 255 (ignored), or of no class, show the image without a colour.
        prediction (np.ndarray, optional): (H, W) integer, predicted classes.
        classes (Sequence[str], optional): Names of the classes. None: numbers.
        palette (Sequence[Sequence[int]], optional): RGB of each class. None:
            distinct colours.
        header (str): Written at the top.
        panel_size (int): See :func:`hierarchy_figure`.
    """
    shown = {
        name: segments.check_image_and_map(image, labels, name)[1]
        for name, labels in (('target', target), ('prediction', prediction))
        if labels is not None
    }
    small = fit_panel(image, panel_size)
    upper = [_image_panel(image, small)]
    colors = _class_colors(shown.values(), palette)
    if 'target' in shown:
        upper.append(
            Panel(_blend(small, shown['target'], colors), 'Ground truth'))
    if 'prediction' in shown:
        upper.append(Panel(_blend(small, shown['prediction'], colors),
                           'Prediction', _accuracy(**shown)))
    rows = [upper]
    if len(label_maps):
        upper.append(_nested_panel(small, label_maps))
        rows += _level_rows(image, label_maps, level_titles(len(label_maps)),
                            small)
    font_size = font_size_for(small)
    if shown:
        entries = _legend(shown.values(), colors, classes or ())
        legend = draw_legend(entries, small.shape[:2], font_size)
        upper.append(Panel(legend, 'Classes'))
    return draw_grid(rows, header, font_size)


def sample_figure(image: np.ndarray,
                  sample: BaseDataElement,
                  meta: dict | None = None,
                  name: str = '',
                  panel_size: int = 320) -> np.ndarray:
    """Figure of a data sample of a segmentor or of a classifier, RGB uint8.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB, of the size of the
            predictions.
        sample (BaseDataElement): With any of ``pred_hierarchy``,
            ``gt_sem_seg`` (resized to the image), ``pred_sem_seg``,
            ``gt_label``, ``pred_label`` and ``pred_score``.
        meta (dict, optional): Meta information of the dataset: ``classes``
            and ``palette``.
        name (str): Name of the image.
        panel_size (int): See :func:`hierarchy_figure`.
    """
    meta = meta or {}
    maps, target, prediction = (
        sample.get(field).data.cpu().long().numpy() if field in sample else ()
        for field in ('pred_hierarchy', 'gt_sem_seg', 'pred_sem_seg'))
    return prediction_figure(
        image,
        maps,
        resize_nearest(target[0], image.shape) if len(target) else None,
        prediction[0] if len(prediction) else None,
        meta.get('classes'),
        meta.get('palette'),
        header='   '.join([name, *_labels(sample, meta.get('classes') or ())]),
        panel_size=panel_size)


def map_shape(sample: BaseDataElement) -> tuple[int, int] | None:
    """Height and width of a sample's maps of predictions, None without any."""
    for field in ('pred_sem_seg', 'pred_hierarchy'):
        if field in sample:
            return tuple(sample.get(field).data.shape[-2:])
    return None


def draw_nested_boundaries(image: np.ndarray,
                           label_maps: Sequence[np.ndarray]) -> np.ndarray:
    """Draw the boundaries of all levels over a darkened copy of the image.

    Takes (H, W, 3) uint8, RGB, and an (H, W) integer label map per level, fine
    to coarse, negative = none; coarser ones get thicker lines.
    """
    drawn = (image * np.float32(0.55)).astype(np.uint8)
    for level, color in enumerate(_level_colors(len(label_maps))):
        drawn[segments.boundary_mask(label_maps[level], 1 + level)] = color
    return drawn


def level_titles(num_levels: int) -> list[str]:
    """Titles of levels: 'Superpixels', 'Level 1', 'Level 2', ..."""
    return ['Superpixels'] + [f'Level {i}' for i in range(1, num_levels)]


def font_size_for(picture: np.ndarray) -> int:
    """Height of letters that stay legible when the figure is shown small."""
    return int(np.clip(picture.shape[1] / 16, 11, 40))


def fit_panel(image: np.ndarray, panel_size: int) -> np.ndarray:
    """Resize an image to a longer side of ``panel_size``, at least 16."""
    check_number('panel_size', panel_size, 16, whole=True)
    scale = panel_size / max(image.shape[:2])
    return resize(image, [max(1, round(n * scale)) for n in image.shape[:2]])


def resize(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize an image to a height and width."""
    return np.asarray(Image.fromarray(image).resize(
        size[::-1], Image.Resampling.LANCZOS))


def resize_nearest(array: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize a label map by nearest neighbour at pixel centres."""
    rows, cols = (((np.arange(n) + 0.5) * old / n).astype(int)
                  for n, old in zip(size[:2], array.shape))
    return array[rows[:, None], cols]


def _image_panel(image: np.ndarray, small: np.ndarray) -> Panel:
    return Panel(small, 'Image', f'{image.shape[1]} x {image.shape[0]}')


def _nested_panel(small: np.ndarray,
                  label_maps: Sequence[np.ndarray]) -> Panel:
    maps = [resize_nearest(labels, small.shape) for labels in label_maps]
    return Panel(draw_nested_boundaries(small, maps), 'All levels')


def _level_rows(image: np.ndarray, label_maps: Sequence[np.ndarray],
                titles: Sequence[str], small: np.ndarray,
                colors: str | Sequence[np.ndarray] = 'tree',
                counts: Sequence[int] | None = None
                ) -> tuple[list[Panel], list[Panel]]:
    """Rows of a panel per level: boundaries over ``small``, segments."""
    upper = []
    maps = [resize_nearest(labels, small.shape) for labels in label_maps]
    if not isinstance(colors, str):
        painted = [np.vstack([table, segments.NONE_COLOR]).astype(
            np.uint8)[np.maximum(labels, -1)]
                   for table, labels in zip(colors, maps)]
    elif colors == 'tree':
        painted = paint_levels(maps)
    else:
        # Means are taken over all pixels of the image, before resizing.
        painted = [
            resize_nearest(segments.mean_colors(image, labels), small.shape)
            for labels in label_maps
        ]
    lines = _level_colors(len(label_maps))
    for i, labels in enumerate(label_maps):
        count = counts[i] if counts else segments.count_segments(labels)
        bounds = segments.draw_boundaries(
            small, maps[i], lines[i], 1 + (i > 0))
        upper.append(Panel(bounds, titles[i],
                           f'{count} segment' + 's' * (count != 1)))
    return upper, [Panel(picture) for picture in painted]


def _level_colors(num_levels: int) -> np.ndarray:
    """Line colours, fine (white) to coarse (yellow)."""
    steps = np.linspace(0, 1, num_levels) if num_levels > 1 else np.ones(1)
    return np.rint(_FINE_COLOR + steps[:, None] *
                   (_COARSE_COLOR - _FINE_COLOR)).astype(np.uint8)


def _class_colors(maps: Sequence[np.ndarray],
                  palette: Sequence[Sequence[int]] | None) -> np.ndarray:
    """Colours of the classes, (K, 3) uint8, in the palette or not."""
    largest = max((int(labels[labels != _IGNORE_INDEX].max(initial=0))
                   for labels in maps), default=0)
    colors = segments.distinct_colors(largest + 1)
    if palette is not None and len(palette):
        given = np.array(palette, dtype=np.uint8)
        colors = np.concatenate([given, colors[len(given):]])
    return colors


def _blend(image: np.ndarray, labels: np.ndarray,
           colors: np.ndarray) -> np.ndarray:
    """Class colours over the grey image; no colour where there is no class."""
    labels = resize_nearest(labels, image.shape)
    grey = image.mean(axis=2, keepdims=True)
    known = (labels >= 0) & (labels < len(colors))
    over = colors[np.where(known, labels, 0)]
    mixed = np.where(known[..., None],
                     _OPACITY * over + (1 - _OPACITY) * grey, image)
    return np.rint(mixed).astype(np.uint8)


def _legend(maps: Sequence[np.ndarray], colors: np.ndarray,
            names: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """Name and colour of each class in the maps, the most frequent first."""
    labels = np.concatenate([array.ravel() for array in maps])
    labels = labels[(labels >= 0) & (labels < len(colors))]
    found, counts = np.unique(labels, return_counts=True)
    return [(_class_name(i, names), tuple(colors[i].tolist()))
            for i in found[np.argsort(-counts, kind='stable')]]


def _class_name(number: int, names: Sequence[str]) -> str:
    return str(names[number]) if number < len(names) else f'class {number}'


def _accuracy(prediction: np.ndarray,
              target: np.ndarray | None = None) -> str:
    if target is None or (target == _IGNORE_INDEX).all():
        return ''
    right = (prediction == target)[target != _IGNORE_INDEX].mean()
    return f'{100 * right:.1f} % right'


def _labels(sample: BaseDataElement, classes: Sequence[str]) -> list[str]:
    """True and predicted class of the image."""
    parts = []
    for field, title in (('gt_label', 'truth'), ('pred_label', 'predicted')):
        if field in sample:
            numbers = sample.get(field).flatten().tolist()
            names = ', '.join(_class_name(i, classes) for i in numbers)
            if field == 'pred_label' and 'pred_score' in sample:
                names += f' ({100 * float(sample.pred_score.max()):.0f} %)'
            parts.append(f'{title}: {names}')
    return parts
