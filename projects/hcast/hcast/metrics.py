"""Metrics of classification along a taxonomy.

Legend: N images, L levels from fine to coarse, K_0 finest classes.
"""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from mmhierseg._base.errors import UserError
from mmhierseg.registry import METRICS

from .taxonomy import Taxonomy

__all__ = ['HierarchyAccuracy', 'path_metrics']


def path_metrics(predicted: np.ndarray, target: np.ndarray,
                 paths: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Accuracy of each level, full-path accuracy and inconsistency.

    Means over images; without images, all are NaN.

    Args:
        predicted (np.ndarray): (N, L) integers, class of each level.
        target (np.ndarray): (N,) integers, true finest class.
        paths (np.ndarray): (K_0, L) integers, path of each finest class.

    Returns:
        tuple[np.ndarray, float, float]: All in [0, 1]: accuracies (L,); FPA,
        share of images of which all levels are right; TICE (tree-based
        inconsistency error), share of images whose predicted classes are no
        path of the taxonomy, right or wrong.

    Raises:
        ValueError: If shapes do not fit or a finest class is unknown.

    Example:
        >>> paths = np.array([[0, 0], [1, 0], [2, 1]])
        >>> predicted = np.array([[0, 0], [0, 0], [0, 1], [2, 1]])
        >>> path_metrics(predicted, np.array([0, 1, 0, 2]), paths)
        (array([0.75, 0.75]), 0.5, 0.25)
    """
    predicted, target, paths = map(np.asarray, (predicted, target, paths))
    if (paths.ndim != 2 or predicted.ndim != 2 or target.ndim != 1
            or predicted.shape != (len(target), paths.shape[1])):
        raise ValueError(
            '`predicted`, `target` and `paths` must be (N, L), (N,) and '
            f'(K_0, L), got {predicted.shape}, {target.shape} and '
            f'{paths.shape}')
    if not len(target):
        return np.full(paths.shape[1], np.nan), np.nan, np.nan
    for name, classes in (('predicted', predicted[:, 0]), ('target', target)):
        if classes.min() < 0 or classes.max() >= len(paths):
            raise ValueError(f'finest classes of `{name}` must be in '
                             f'0..{len(paths) - 1}, got {classes.min()} to '
                             f'{classes.max()}')
    right = predicted == paths[target]
    # A finest class has one path, so only that one can be predicted.
    on_path = (predicted == paths[predicted[:, 0]]).all(axis=1)
    return (right.mean(axis=0), float(right.all(axis=1).mean()),
            float(1 - on_path.mean()))


@METRICS.register_module()
class HierarchyAccuracy(BaseMetric):
    """Accuracies of all levels, FPA and TICE, in percent.

    See :func:`path_metrics`; counts are exact for any number of processes.
    Results are ``taxonomy/<level>``, ``taxonomy/FPA``, ``taxonomy/TICE``.

    Args:
        taxonomy (str | dict | Taxonomy): That of the head.
        collect_device (str): See MMEngine's ``BaseMetric``.
        prefix (str, optional): In place of 'taxonomy'.

    Raises:
        UserError: If the classes of the dataset are not the finest ones of
            the taxonomy, in the same order.
    """

    default_prefix = 'taxonomy'

    def __init__(self,
                 taxonomy: str | dict | Taxonomy,
                 collect_device: str = 'cpu',
                 prefix: str | None = None) -> None:
        super().__init__(collect_device, prefix)
        self.taxonomy = Taxonomy.of(taxonomy)

    def process(self, data_batch: object,
                data_samples: Sequence[dict]) -> None:
        """Keep the predicted path and the true class of each image."""
        classes = tuple((self.dataset_meta or {}).get('classes') or ())
        if classes and classes != self.taxonomy.classes[0]:
            raise UserError(
                'the classes of the dataset must be those of the taxonomy, '
                f'{self.taxonomy.classes[0][:3]} ..., got {classes[:3]} ...: '
                'use a dataset with the argument `taxonomy`')
        for sample in data_samples:
            self.results.append(
                (sample['pred_path'].tolist(), int(sample['gt_label'])))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """The metrics of all images."""
        predicted, target = map(np.array, zip(*results))
        accuracy, fpa, tice = path_metrics(predicted, target,
                                           self.taxonomy.paths)
        values = dict(zip(self.taxonomy.levels, accuracy), FPA=fpa, TICE=tice)
        return {name: 100 * float(value) for name, value in values.items()}
