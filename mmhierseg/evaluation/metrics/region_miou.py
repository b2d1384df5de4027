"""The best mIoU that the segments of a hierarchy allow."""

import numpy as np
from torch import Tensor

from mmhierseg.evaluation.functional import (
    class_areas,
    mean_iou_of_areas,
    region_miou,
)
from mmhierseg.registry import METRICS

from .per_level import PerLevelMetric


@METRICS.register_module()
class RegionMIoU(PerLevelMetric):
    """The mIoU of labelling each segment with its most frequent true class.

    Pixels are counted (:func:`~.functional.region_miou`) and summed over the
    dataset; then come the IoU of each class and the mean over the classes
    that occur. Results, in percent: ``RegionMIoU/level0`` and so on, from
    fine to coarse. Options are those of :class:`PerLevelMetric`.
    """

    def measure_level(self, segments: Tensor, target: Tensor,
                      data_batch: dict | None, index: int) -> np.ndarray:
        """(3, C) int64: correct, predicted and true pixels of each class."""
        # Not the confusion matrix, which is large for many classes.
        return class_areas(
            region_miou(segments, target, self.num_classes,
                        self.ignore_index))

    def summarize(self, level: int,
                  results: list[np.ndarray]) -> dict[str, float]:
        """Mean over classes of the quotients of the sums, in percent."""
        return {f'level{level}': 100 * mean_iou_of_areas(sum(results))}
