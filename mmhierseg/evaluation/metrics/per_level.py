"""What the metrics of a hierarchy share: one result per level."""

from abc import abstractmethod
from typing import Any, Dict, List, Optional, Sequence

import torch
from torch import Tensor

from .per_image import PerImageMetric

__all__ = ['PerLevelMetric']


class PerLevelMetric(PerImageMetric):
    """A metric that measures the label map of each level by itself.

    The maps are those of the field ``pred_hierarchy`` of the data samples,
    see :func:`mmhierseg.structures.add_hierarchy`. A subclass measures one
    map in :meth:`measure_level` and sums up a level in :meth:`summarize`.

    Args:
        levels (Sequence[int], optional): Levels to measure, 0 is the finest.
            Defaults to None, all levels.
        segments_field (str): Field of the data samples with the label maps
            of the levels, (L, H, W). Defaults to 'pred_hierarchy'.
        ignore_index (int): As in :class:`PerImageMetric`. Defaults to 255.
        gt_field (str): As there. Defaults to 'gt_sem_seg'.
        collect_device (str): As there. Defaults to 'cpu'.
        prefix (str, optional): As there. Defaults to None.
        collect_dir (str, optional): As there. Defaults to None.

    Raises:
        TypeError: If ``levels`` is no list of integers.
        ValueError: If it is empty, or names a level twice or a negative one.
    """

    def __init__(self,
                 levels: Optional[Sequence[int]] = None,
                 segments_field: str = 'pred_hierarchy',
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
        self.levels = _check_levels(levels)
        self.segments_field = segments_field

    def measure(self, sample: dict, data_batch: Optional[dict],
                index: int) -> Dict[int, Any]:
        """Measure the levels of one image.

        Args:
            sample (dict): Its data sample.
            data_batch (dict, optional): What the loader gave.
            index (int): Number of the image in the batch.

        Returns:
            dict[int, Any]: Counts of each level.
        """
        maps = self.segment_maps(sample)
        target = self.ground_truth(sample)
        return {
            level: self.measure_level(maps[level], target, data_batch, index)
            for level in self.levels or range(len(maps))
        }

    def compute_metrics(self, results: List[Dict[int, Any]]
                        ) -> Dict[str, float]:
        """Sum up all images, level by level.

        Args:
            results (list[dict]): Counts of each image.

        Returns:
            dict[str, float]: The values, with the level in their names.

        Raises:
            ValueError: If images have different numbers of levels.
        """
        numbers = {len(result) for result in results}
        if len(numbers) > 1:
            raise ValueError(
                f'{type(self).__name__}: images have {min(numbers)} to '
                f'{max(numbers)} levels; say which ones all have by `levels`')
        values = {}
        for level in results[0] if results else ():
            values.update(
                self.summarize(level, [result[level] for result in results]))
        return values

    @abstractmethod
    def measure_level(self, segments: Tensor, target: Tensor,
                      data_batch: Optional[dict], index: int) -> Any:
        """Measure one level of one image.

        Args:
            segments (Tensor): Label map of the level, (H, W), negative =
                no segment.
            target (Tensor): Ground truth, (H, W).
            data_batch (dict, optional): What the loader gave.
            index (int): Number of the image in the batch.

        Returns:
            Any: Counts: small, and of a type that can be pickled.
        """

    @abstractmethod
    def summarize(self, level: int, results: List[Any]) -> Dict[str, float]:
        """Sum up one level over all images.

        Args:
            level (int): The level.
            results (list): Counts of each image.

        Returns:
            dict[str, float]: Values by name.
        """

    def segment_maps(self, sample: dict) -> Tensor:
        """Label maps of all levels, (L, H, W)."""
        field = self.segments_field
        if field not in sample:
            raise ValueError(
                f'the data sample has no `{field}`: the model must put the '
                'hierarchy there (mmhierseg.structures.add_hierarchy)')
        maps = torch.as_tensor(sample[field]['data'])
        if maps.dim() == 2:
            maps = maps[None]
        if maps.dim() != 3:
            raise ValueError(f'`{field}` must hold a label map per level, '
                             f'(L, H, W), got {tuple(maps.shape)}')
        missing = [level for level in self.levels or () if level >= len(maps)]
        if missing:
            raise ValueError(
                f'there is no level {missing[0]}: the hierarchy has '
                f'{len(maps)} levels, 0 to {len(maps) - 1}')
        return maps


def _check_levels(levels: Optional[Sequence[int]]) -> Optional[List[int]]:
    if levels is None:
        return None
    if isinstance(levels, str) or not isinstance(levels, Sequence) or any(
            isinstance(level, bool) or not isinstance(level, int)
            for level in levels):
        raise TypeError('`levels` must be a list of integers, or None for '
                        f'all, got {levels!r}')
    levels = list(levels)
    if not levels or len(set(levels)) < len(levels) or min(levels) < 0:
        raise ValueError('`levels` must name at least one level, none twice, '
                         f'and none below 0, got {levels}')
    return levels
