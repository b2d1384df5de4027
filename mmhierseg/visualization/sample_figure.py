"""One picture of a data sample: what it holds of truth and predictions."""

from typing import List, Optional, Sequence, Tuple

import numpy as np
from mmengine.structures import BaseDataElement

from .figure import resize_nearest
from .prediction_figure import prediction_figure

__all__ = ['map_shape', 'sample_figure']


def sample_figure(image: np.ndarray,
                 sample: BaseDataElement,
                 meta: Optional[dict] = None,
                 name: str = '',
                 panel_size: int = 320) -> np.ndarray:
    """Figure of a data sample of a segmentor or of a classifier.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB: the one that predictions are
            of.
        sample (BaseDataElement): With any of ``pred_hierarchy``,
            ``gt_sem_seg``, ``pred_sem_seg``, ``gt_label``, ``pred_label`` and
            ``pred_score``. Ground truth of another size than the image, as a
            pipeline may leave it, is brought to that.
        meta (dict, optional): Meta information of the data set: ``classes``
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
    target, prediction = (
        _single(sample, field) for field in ('gt_sem_seg', 'pred_sem_seg'))
    if target is not None:
        target = resize_nearest(target, image.shape[:2])
    return prediction_figure(
        image,
        _maps(sample, 'pred_hierarchy'),
        target,
        prediction,
        meta.get('classes'),
        meta.get('palette'),
        header='   '.join([name, *_labels(sample, meta.get('classes'))]),
        panel_size=panel_size)


def map_shape(sample: BaseDataElement) -> Optional[Tuple[int, int]]:
    """Height and width of what is predicted for the pixels, if anything is.

    Args:
        sample (BaseDataElement): A data sample.

    Returns:
        Tuple[int, int] | None: (H, W).
    """
    for field in ('pred_sem_seg', 'pred_hierarchy'):
        if field in sample:
            return tuple(sample.get(field).data.shape[-2:])
    return None


def _maps(sample: BaseDataElement, field: str) -> List[np.ndarray]:
    """Label maps of a field, none if it is missing."""
    if field not in sample:
        return []
    return list(sample.get(field).data.cpu().long().numpy())


def _single(sample: BaseDataElement, field: str) -> Optional[np.ndarray]:
    maps = _maps(sample, field)
    return maps[0] if maps else None


def _labels(sample: BaseDataElement,
            classes: Optional[Sequence[str]]) -> List[str]:
    """What is true of the image, and what a classifier says of it."""
    parts = []
    for field, title in (('gt_label', 'truth'), ('pred_label', 'predicted')):
        if field not in sample:
            continue
        labels = sample.get(field).flatten().tolist()
        names = ', '.join(
            str(classes[i]) if classes and i < len(classes) else f'class {i}'
            for i in labels)
        if field == 'pred_label' and 'pred_score' in sample:
            names += f' ({100 * float(sample.pred_score.max()):.0f} %)'
        parts.append(f'{title}: {names}')
    return parts
