"""Base class of metrics of the levels of a hierarchy."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmhierseg._base.errors import UserError

from .per_image import PerImageMetric


class PerLevelMetric(PerImageMetric):
    """A metric that measures the label map of each level separately.

    A subclass measures one map in :meth:`measure_level` and combines the
    results of a level in :meth:`summarize`.

    Args:
        levels (Sequence[int], optional): Levels to measure, without
            duplicates; 0 is the finest. Defaults to None, all levels.
        segments_field (str): Field of the data samples with the label maps
            of the levels, (L, H, W), see
            :func:`mmhierseg.structures.add_hierarchy`. Defaults to
            'pred_hierarchy'.
        **kwargs: See :class:`PerImageMetric`.
    """

    def __init__(self,
                 levels: Sequence[int] | None = None,
                 segments_field: str = 'pred_hierarchy',
                 **kwargs) -> None:
        super().__init__(**kwargs)
        if levels is not None and (len(set(levels)) != len(levels)
                                   or min(levels, default=-1) < 0):
            raise ValueError('`levels` must contain at least one level, no '
                             f'duplicates and none below 0, got {levels}')
        self.levels = levels
        self.segments_field = segments_field

    def measure(self, sample: dict, data_batch: dict | None,
                index: int) -> dict[int, Any]:
        """Counts of each level of one image."""
        maps = self.segment_maps(sample)
        target = self.ground_truth(sample)
        return {
            level: self.measure_level(maps[level], target, data_batch, index)
            for level in self.levels or range(len(maps))
        }

    def compute_metrics(self,
                        results: list[dict[int, Any]]) -> dict[str, float]:
        """Combine the counts of all images, level by level."""
        numbers = {len(result) for result in results}
        if len(numbers) > 1:
            raise UserError(
                f'{type(self).__name__}: images have {min(numbers)} to '
                f'{max(numbers)} levels; choose common ones by `levels`')
        values = {}
        for level in results[0] if results else ():
            values.update(
                self.summarize(level, [result[level] for result in results]))
        return values

    @abstractmethod
    def measure_level(self, segments: Tensor, target: Tensor,
                      data_batch: dict | None, index: int) -> Any:
        """Counts of a level of an image, from its map and truth, (H, W)."""

    @abstractmethod
    def summarize(self, level: int, results: list[Any]) -> dict[str, float]:
        """Combine the counts of all images for one level: values by name."""

    def segment_maps(self, sample: dict) -> Tensor:
        """Label maps of all levels, (L, H, W)."""
        field = self.segments_field
        if field not in sample:
            raise UserError(
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
            raise UserError(
                f'there is no level {missing[0]}: the hierarchy has '
                f'{len(maps)} levels, 0 to {len(maps) - 1}')
        return maps
