"""Boundary F-score of a semantic segmentation."""

from typing import Dict, List, Optional

import numpy as np

from mmhierseg.evaluation.functional import (
    BoundaryCounts,
    boundary_counts,
    boundary_f_score,
)
from mmhierseg.evaluation.functional.boundaries import check_share
from mmhierseg.registry import METRICS

from .per_image import PerImageMetric

__all__ = ['BoundaryFScore']


@METRICS.register_module()
class BoundaryFScore(PerImageMetric):
    """F-score of the boundaries of classes, averaged over classes.

    Boundary pixels and matches (:func:`~.functional.boundary_counts`) are
    summed over the data set first; then F = 2PR / (P + R) of each class;
    then the mean over the classes that have boundary pixels in prediction or
    truth. Results, in percent as MMSegmentation's mIoU:
    ``BoundaryFScore/mFscore``, ``BoundaryFScore/mPrecision``,
    ``BoundaryFScore/mRecall``; NaN if there is no boundary at all.

    Args:
        tolerance (float): Share of the image diagonal within which pixels
            match; at least one pixel. Defaults to 0.0075.
        ignore_index (int): Label of pixels that are left out of everything.
            Defaults to 255.
        gt_field (str): Field of the data samples with the ground truth.
            Defaults to 'gt_sem_seg'.
        collect_device (str): Where the results of several processes are
            collected, 'cpu' or 'gpu'. Defaults to 'cpu'.
        prefix (str, optional): What the names of the results begin with.
            Defaults to None, the name of the class.
        collect_dir (str, optional): Folder that results are collected in.
            Defaults to None, a temporary one.

    Raises:
        TypeError: If ``tolerance`` is no number.
        ValueError: If it is negative or not finite.

    Example:
        >>> metric = BoundaryFScore()
        >>> metric.dataset_meta = dict(classes=('road', 'car'))
        >>> truth = np.array([[0, 0, 1, 1, 0]])
        >>> metric.process(None, [dict(pred_sem_seg=dict(data=truth),
        ...                            gt_sem_seg=dict(data=truth))])
        >>> metric.evaluate(1)['BoundaryFScore/mFscore']
        100.0
    """

    def __init__(self,
                 tolerance: float = 0.0075,
                 ignore_index: int = 255,
                 gt_field: str = 'gt_sem_seg',
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None,
                 collect_dir: Optional[str] = None) -> None:
        super().__init__(
            ignore_index=ignore_index,
            gt_field=gt_field,
            collect_device=collect_device,
            prefix=prefix,
            collect_dir=collect_dir)
        check_share('tolerance', tolerance)
        self.tolerance = tolerance

    def measure(self, sample: dict, data_batch: Optional[dict],
                index: int) -> np.ndarray:
        """Count the boundary pixels of one image.

        Args:
            sample (dict): Its data sample.
            data_batch (dict, optional): What the loader gave; not used.
            index (int): Number of the image in the batch; not used.

        Returns:
            np.ndarray: (4, C) int64, the rows of ``BoundaryCounts``.
        """
        return np.stack(
            boundary_counts(
                self.prediction(sample), self.ground_truth(sample),
                self.num_classes, self.tolerance, self.ignore_index))

    def compute_metrics(self, results: List[np.ndarray]) -> Dict[str, float]:
        """Divide the sums of the counts.

        Args:
            results (list[np.ndarray]): Counts of each image.

        Returns:
            dict[str, float]: Means over classes, in percent.
        """
        values = boundary_f_score(BoundaryCounts(*sum(results)))
        names = ('mFscore', 'mPrecision', 'mRecall')
        return {
            name: _percent(value) for name, value in zip(names, values)
        }


def _percent(values: np.ndarray) -> float:
    """Mean over the classes that occur."""
    values = values[~np.isnan(values)]
    return float(100 * values.mean()) if values.size else float('nan')
