"""The best mIoU that the segments of a hierarchy allow."""

from typing import Dict, List, Optional

import numpy as np
from torch import Tensor

from mmhierseg.evaluation.functional import (
    class_areas,
    mean_iou_of_areas,
    region_miou,
)
from mmhierseg.registry import METRICS

from .per_level import PerLevelMetric

__all__ = ['RegionMIoU']


@METRICS.register_module()
class RegionMIoU(PerLevelMetric):
    """The mIoU of labelling each segment with its most frequent true class.

    Pixels are counted (:func:`~.functional.region_miou`) and summed over the
    data set; then the IoU of each class; then the mean over the classes that
    occur. Results, in percent: ``RegionMIoU/level0`` and so on, from fine to
    coarse. The maps are those of the field ``pred_hierarchy``, see
    :func:`mmhierseg.structures.add_hierarchy`.

    Args:
        levels (Sequence[int], optional): Levels to measure, 0 is the finest.
            Defaults to None, all levels.
        segments_field (str): Field of the data samples with the label maps
            of the levels, (L, H, W). Defaults to 'pred_hierarchy'.
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
        TypeError: If ``levels`` is no list of integers.
        ValueError: If it is empty, or names a level twice or a negative one.
    """

    def measure_level(self, segments: Tensor, target: Tensor,
                      data_batch: Optional[dict], index: int) -> np.ndarray:
        """Label the segments of one image.

        Args:
            segments (Tensor): Label map of the level, (H, W).
            target (Tensor): True classes, (H, W).
            data_batch (dict, optional): What the loader gave; not used.
            index (int): Number of the image in the batch; not used.

        Returns:
            np.ndarray: (3, C) int64, right, predicted and true pixels. Not
            the confusion matrix, which is large where classes are many.
        """
        return class_areas(
            region_miou(segments, target, self.num_classes,
                        self.ignore_index))

    def summarize(self, level: int,
                  results: List[np.ndarray]) -> Dict[str, float]:
        """Divide the sums of the counts.

        Args:
            level (int): The level.
            results (list[np.ndarray]): Counts of each image.

        Returns:
            dict[str, float]: Mean over classes, in percent.
        """
        return {f'level{level}': 100 * mean_iou_of_areas(sum(results))}
