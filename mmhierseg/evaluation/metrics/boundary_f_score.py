"""Boundary F-score of a semantic segmentation."""

import numpy as np

from mmhierseg.evaluation.functional import (
    BoundaryCounts,
    boundary_counts,
    boundary_f_score,
)
from mmhierseg.evaluation.functional.boundaries import check_tolerance
from mmhierseg.registry import METRICS

from .base import PerImageMetric


@METRICS.register_module()
class BoundaryFScore(PerImageMetric):
    """F-score of the boundaries of classes, averaged over classes.

    Boundary pixels and matches (:func:`~.functional.boundary_counts`) are
    summed over the dataset; then come F = 2PR / (P + R) of each class and the
    mean over the classes that have boundary pixels in prediction or truth.
    Results, in percent: ``BoundaryFScore/mFscore``,
    ``BoundaryFScore/mPrecision``, ``BoundaryFScore/mRecall``; NaN if there is
    no boundary at all.

    Args:
        tolerance (float): Fraction of the image diagonal, at least 0, within
            which pixels match; at least one pixel. Defaults to 0.0075.
        **kwargs: See :class:`PerImageMetric`.
    """

    def __init__(self, tolerance: float = 0.0075, **kwargs) -> None:
        super().__init__(**kwargs)
        check_tolerance(tolerance)
        self.tolerance = tolerance

    def measure(self, sample: dict, data_batch: dict | None,
                index: int) -> np.ndarray:
        """(4, C) int64, the rows of ``BoundaryCounts``."""
        return np.stack(
            boundary_counts(
                self.prediction(sample), self.ground_truth(sample),
                self.num_classes, self.tolerance, self.ignore_index))

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Means over classes of the quotients of the sums, in percent."""
        names = ('mFscore', 'mPrecision', 'mRecall')
        values = boundary_f_score(BoundaryCounts(*sum(results)))
        return {name: _percent(value) for name, value in zip(names, values)}


def _percent(values: np.ndarray) -> float:
    """Mean over the classes that occur."""
    values = values[~np.isnan(values)]
    return float(100 * values.mean()) if values.size else float('nan')
