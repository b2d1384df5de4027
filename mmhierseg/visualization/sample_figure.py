"""Figure of a data sample: its ground truth and predictions."""

from collections.abc import Sequence

import numpy as np
from mmengine.structures import BaseDataElement

from .figure import resize_nearest
from .prediction_figure import prediction_figure

__all__ = ['map_shape', 'sample_figure']


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
    """Height and width of the predictions for pixels, None without any.

    Args:
        sample (BaseDataElement): A data sample.

    Returns:
        tuple[int, int] | None: (H, W).
    """
    for field in ('pred_sem_seg', 'pred_hierarchy'):
        if field in sample:
            return tuple(sample.get(field).data.shape[-2:])
    return None


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
