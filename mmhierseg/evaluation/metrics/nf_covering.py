"""Normalised foreground covering of the levels of a hierarchy."""

import math
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from mmhierseg.evaluation.functional import covering_sums
from mmhierseg.registry import METRICS

from .per_level import PerLevelMetric

__all__ = ['NFCovering']


@METRICS.register_module()
class NFCovering(PerLevelMetric):
    """How well each level's segments cover the regions of the ground truth.

    For each image the mean over regions of the best IoU that a segment has
    with it (:func:`~.functional.nf_covering`), then the mean over images;
    images without a region are left out. Results, in percent:
    ``NFCovering/level0`` and so on, from fine to coarse; NaN if no image has
    a region. The maps are those of the field ``pred_hierarchy``, see
    :func:`mmhierseg.structures.add_hierarchy`.

    Args:
        background (int, optional): Id in the ground truth of what is no
            region. Defaults to 0. None means that every id is a region, as
            where class 0 is a thing like any other (Cityscapes).
        levels (Sequence[int], optional): Levels to measure, 0 is the finest.
            Defaults to None, all levels.
        segments_field (str): Field of the data samples with the label maps
            of the levels, (L, H, W). Defaults to 'pred_hierarchy'.
        ignore_index (int): Id of pixels that are left out of everything.
            Defaults to 255.
        gt_field (str): Field of the data samples with the ground truth: its
            ids are the regions. Defaults to 'gt_sem_seg'.
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

    def __init__(self,
                 background: Optional[int] = 0,
                 levels: Optional[Sequence[int]] = None,
                 segments_field: str = 'pred_hierarchy',
                 ignore_index: int = 255,
                 gt_field: str = 'gt_sem_seg',
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None,
                 collect_dir: Optional[str] = None) -> None:
        super().__init__(
            levels=levels,
            segments_field=segments_field,
            ignore_index=ignore_index,
            gt_field=gt_field,
            collect_device=collect_device,
            prefix=prefix,
            collect_dir=collect_dir)
        self.background = background

    def measure_level(self, segments: Tensor, target: Tensor,
                      data_batch: Optional[dict],
                      index: int) -> Tuple[float, int]:
        """Cover the regions of one image.

        Args:
            segments (Tensor): Label map of the level, (H, W).
            target (Tensor): Ids of the regions, (H, W).
            data_batch (dict, optional): What the loader gave; not used.
            index (int): Number of the image in the batch; not used.

        Returns:
            tuple[float, int]: Sum of the best IoUs, and number of regions.
        """
        if self.background == 0:
            return covering_sums(segments, target, self.ignore_index)
        ignored = target == self.ignore_index
        # Every id from 0 on becomes positive.
        regions = target.long() + 1
        if self.background is not None:
            regions[target == self.background] = 0
        return covering_sums(segments, torch.where(ignored, -1, regions), -1)

    def summarize(self, level: int,
                  results: List[Tuple[float, int]]) -> Dict[str, float]:
        """Mean over the images that have regions.

        Args:
            level (int): The level.
            results (list[tuple[float, int]]): Sums of each image.

        Returns:
            dict[str, float]: The mean, in percent.
        """
        coverings = [total / number for total, number in results if number]
        # A sum that does not depend on the order of the images.
        mean = (
            math.fsum(coverings) / len(coverings) if coverings else math.nan)
        return {f'level{level}': 100 * mean}
