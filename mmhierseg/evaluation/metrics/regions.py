"""How well the regions of a hierarchy fit those of the ground truth."""

import math

import numpy as np
import torch
from torch import Tensor

from mmhierseg.evaluation.functional import (
    class_areas,
    covering_sums,
    mean_iou_of_areas,
    region_miou,
)
from mmhierseg.registry import METRICS

from .base import PerLevelMetric


@METRICS.register_module()
class NFCovering(PerLevelMetric):
    """How well each level's segments cover the regions of the ground truth.

    For each image the mean over regions of the best IoU that a segment has
    with it (:func:`~.functional.nf_covering`), then the mean over images that
    have a region. Results, in percent: ``NFCovering/level0`` and so on, from
    fine to coarse; NaN if no image has a region.

    Args:
        background (int, optional): Id in the ground truth that is no region.
            Defaults to 0. With None every id is a region, for datasets whose
            class 0 is a thing like any other (Cityscapes).
        **kwargs: See :class:`PerLevelMetric`.
    """

    def __init__(self, background: int | None = 0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.background = background

    def measure_level(self, segments: Tensor, target: Tensor,
                      data_batch: dict | None,
                      index: int) -> tuple[float, int]:
        """Sum of the best IoUs, and number of regions."""
        if self.background == 0:
            return covering_sums(segments, target, self.ignore_index)
        ignored = target == self.ignore_index
        # Every id from 0 on becomes positive.
        regions = target.long() + 1
        if self.background is not None:
            regions[target == self.background] = 0
        return covering_sums(segments, torch.where(ignored, -1, regions), -1)

    def summarize(self, level: int,
                  results: list[tuple[float, int]]) -> dict[str, float]:
        """Mean over the images that have regions, in percent."""
        coverings = [total / number for total, number in results if number]
        # An exact sum does not depend on the order of the images.
        mean = (
            math.fsum(coverings) / len(coverings) if coverings else math.nan)
        return {f'level{level}': 100 * mean}


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
            region_miou(segments, target, self.num_classes, self.ignore_index))

    def summarize(self, level: int,
                  results: list[np.ndarray]) -> dict[str, float]:
        """Mean over classes of the quotients of the sums, in percent."""
        return {f'level{level}': 100 * mean_iou_of_areas(sum(results))}
