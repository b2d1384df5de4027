"""Figure of an image, its ground truth, the prediction and the hierarchy.

The upper row shows the image, ground truth, prediction and their legend; below
are the levels of the hierarchy, from fine to coarse.

Legend: H x W pixels; the image is RGB in 0..255, (H, W, 3) uint8; maps are
(H, W) integer.
"""

from collections.abc import Sequence

import numpy as np
from mmengine.structures import BaseDataElement

from .canvas import Panel, draw_grid, draw_legend
from .figure import (
    fit_panel,
    font_size_for,
    image_panel,
    level_rows,
    level_titles,
    nested_panel,
    resize_nearest,
)
from .segments import check_image_and_map, distinct_colors

__all__ = ['map_shape', 'prediction_figure', 'sample_figure']

# Opacity of the class colours over the image.
_OPACITY = 0.65


def prediction_figure(image: np.ndarray,
                      label_maps: Sequence[np.ndarray] = (),
                      target: np.ndarray | None = None,
                      prediction: np.ndarray | None = None,
                      classes: Sequence[str] | None = None,
                      palette: Sequence[Sequence[int]] | None = None,
                      header: str = '',
                      panel_size: int = 320,
                      ignore_index: int = 255) -> np.ndarray:
    """Figure of an image, its ground truth, the prediction and the hierarchy.

    Panels are drawn for the arguments that are given.

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
            0..255. Defaults to None, distinct colours.
        header (str): Written at the top. Defaults to ''.
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
    shown = dict(target=target, prediction=prediction)
    shown = {
        name: check_image_and_map(image, labels, name)[1]
        for name, labels in shown.items() if labels is not None
    }
    small = fit_panel(image, panel_size)
    upper = [image_panel(image, small)]
    colors = _class_colors(shown.values(), palette, ignore_index)
    for name, labels in shown.items():
        title, note = 'Ground truth', ''
        if name == 'prediction':
            title, note = 'Prediction', _accuracy(ignore_index, **shown)
        upper.append(Panel(_blend(small, labels, colors), title, note))
    rows = [upper]
    if len(label_maps):
        upper.append(nested_panel(small, label_maps))
        rows += level_rows(image, label_maps, level_titles(len(label_maps)),
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
    """Figure of a data sample of a segmentor or of a classifier.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB, of the size of the
            predictions.
        sample (BaseDataElement): With any of ``pred_hierarchy``,
            ``gt_sem_seg``, ``pred_sem_seg``, ``gt_label``, ``pred_label`` and
            ``pred_score``. Ground truth of another size, as a pipeline may
            leave it, is resized to the image.
        meta (dict, optional): Meta information of the dataset: ``classes``
            and ``palette``. Defaults to None.
        name (str): Name of the image. Defaults to ''.
        panel_size (int): Longer side of each picture in pixels.
            Defaults to 320.

    Returns:
        np.ndarray: (H', W', 3) uint8, RGB.

    Raises:
        ValueError: If predictions are not of the size of the image.
    """
    meta = meta or {}
    maps = {
        field: sample.get(field).data.cpu().long().numpy()
        for field in ('pred_hierarchy', 'gt_sem_seg', 'pred_sem_seg')
        if field in sample
    }
    target, prediction = (
        maps[field][0] if field in maps else None
        for field in ('gt_sem_seg', 'pred_sem_seg'))
    if target is not None:
        target = resize_nearest(target, image.shape)
    return prediction_figure(
        image,
        maps.get('pred_hierarchy', ()),
        target,
        prediction,
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


def _class_colors(maps: Sequence[np.ndarray],
                  palette: Sequence[Sequence[int]] | None,
                  ignore_index: int) -> np.ndarray:
    """Colour of each class, (K, 3) uint8, including those not in the palette.

    The ignored label is no class, even where it is a small number.
    """
    largest = max((int(labels[labels != ignore_index].max(initial=0))
                   for labels in maps), default=0)
    colors = distinct_colors(largest + 1)
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
    return [(names[i] if i < len(names) else f'class {i}',
             tuple(int(c) for c in colors[i]))
            for i in found[np.argsort(-counts, kind='stable')]]


def _accuracy(ignore_index: int,
              prediction: np.ndarray,
              target: np.ndarray | None = None) -> str:
    if target is None or (target == ignore_index).all():
        return ''
    right = (prediction == target)[target != ignore_index].mean()
    return f'{100 * right:.1f} % right'


def _labels(sample: BaseDataElement, classes: Sequence[str]) -> list[str]:
    """True and predicted class of the image."""
    parts = []
    for field, title in (('gt_label', 'truth'), ('pred_label', 'predicted')):
        if field not in sample:
            continue
        names = ', '.join(
            str(classes[i]) if i < len(classes) else f'class {i}'
            for i in sample.get(field).flatten().tolist())
        if field == 'pred_label' and 'pred_score' in sample:
            names += f' ({100 * float(sample.pred_score.max()):.0f} %)'
        parts.append(f'{title}: {names}')
    return parts
