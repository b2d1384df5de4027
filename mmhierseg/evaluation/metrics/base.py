"""Base classes of metrics: one result per image, and per level."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmhierseg._base.errors import UserError


class PerImageMetric(BaseMetric):
    """A metric that reduces each image to counts once it is predicted.

    A subclass measures one image in :meth:`measure` and combines the results
    of all images in ``compute_metrics``. There is exactly one result per
    image, because MMEngine drops the results of images that a sampler has
    repeated by their number.

    Args:
        ignore_index (int): Label in the ground truth of pixels that are left
            out. Defaults to 255.
        gt_field (str): Field of the data samples with the ground truth.
            Defaults to 'gt_sem_seg'.
        prefix (str, optional): Prefix of the names of the results. Defaults
            to None, the name of the class.
        **kwargs: ``collect_device`` and ``collect_dir`` of ``BaseMetric``.
    """

    def __init__(self,
                 ignore_index: int = 255,
                 gt_field: str = 'gt_sem_seg',
                 prefix: str | None = None,
                 **kwargs) -> None:
        super().__init__(prefix=prefix or type(self).__name__, **kwargs)
        self.ignore_index = ignore_index
        self.gt_field = gt_field

    def process(self, data_batch: dict | None,
                data_samples: Sequence[dict]) -> None:
        """Measure the images of a batch; errors name the image."""
        for index, sample in enumerate(data_samples):
            try:
                result = self.measure(sample, data_batch, index)
            except (TypeError, ValueError) as error:
                where = sample.get('img_path') or f'image {len(self.results)}'
                kind = TypeError if isinstance(error, TypeError) else UserError
                raise kind(
                    f'{type(self).__name__}, {where}: {error}') from error
            self.results.append(result)

    @abstractmethod
    def measure(self, sample: dict, data_batch: dict | None,
                index: int) -> Any:
        """Counts of an image, small and picklable, from its data sample.

        ``index`` is that of the image in ``data_batch``.
        """

    @property
    def num_classes(self) -> int:
        """Number of classes of the dataset."""
        classes = (self.dataset_meta or {}).get('classes')
        if not classes:
            raise UserError('the meta information of the dataset must list '
                            'its `classes`, got none')
        return len(classes)

    def ground_truth(self, sample: dict) -> Tensor:
        """Label map of the ground truth, (H, W)."""
        if self.gt_field not in sample:
            raise UserError(
                f'the data sample has no `{self.gt_field}`: load annotations '
                'in the test pipeline, or name another field by `gt_field`')
        return _single_map(self.gt_field, sample[self.gt_field])

    @staticmethod
    def prediction(sample: dict) -> Tensor:
        """Predicted label map, (H, W)."""
        if 'pred_sem_seg' not in sample:
            raise UserError('the data sample has no `pred_sem_seg`: the model '
                            'is no segmentor')
        pred = _single_map('pred_sem_seg', sample['pred_sem_seg'])
        # MMSegmentation's heads of a single channel return 0. and 1.
        is_binary = torch.equal(pred, pred.bool().to(pred))
        return pred.long() if is_binary else pred


def _single_map(name: str, field: Any) -> Tensor:
    data = torch.as_tensor(field['data'])
    if data.dim() == 3 and data.size(0) == 1:
        return data[0]
    if data.dim() == 2:
        return data
    raise ValueError(f'`{name}` must hold one label map, (1, H, W), got '
                     f'{tuple(data.shape)}')


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
