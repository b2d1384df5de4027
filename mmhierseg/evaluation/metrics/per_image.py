"""What the metrics share: one result per image, and what is read for it."""

from abc import abstractmethod
from typing import Any, Optional, Sequence

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

__all__ = ['PerImageMetric']


class PerImageMetric(BaseMetric):
    """A metric that turns each image into counts as soon as it is predicted.

    A subclass measures one image in :meth:`measure` and makes numbers of the
    results of all images in ``compute_metrics``. There is exactly one result
    per image: MMEngine drops results of images that a sampler has repeated
    by their number.

    Args:
        ignore_index (int): Label of pixels of the ground truth that are left
            out of everything. Defaults to 255.
        gt_field (str): Field of the data samples with the ground truth.
            Defaults to 'gt_sem_seg'.
        collect_device (str): Where the results of several processes are
            collected, 'cpu' or 'gpu'. Defaults to 'cpu'.
        prefix (str, optional): What the names of the results begin with.
            Defaults to None, the name of the class.
        collect_dir (str, optional): Folder that results are collected in.
            Defaults to None, a temporary one.
    """

    def __init__(self,
                 ignore_index: int = 255,
                 gt_field: str = 'gt_sem_seg',
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None,
                 collect_dir: Optional[str] = None) -> None:
        super().__init__(
            collect_device=collect_device,
            prefix=prefix or type(self).__name__,
            collect_dir=collect_dir)
        self.ignore_index = ignore_index
        self.gt_field = gt_field

    def process(self, data_batch: Optional[dict],
                data_samples: Sequence[dict]) -> None:
        """Measure the images of a batch.

        Args:
            data_batch (dict, optional): What the loader gave.
            data_samples (Sequence[dict]): What the model gave.

        Raises:
            TypeError: If a map is not made of integers.
            ValueError: If a field is missing or maps do not fit; the message
                says in which image.
        """
        for index, sample in enumerate(data_samples):
            try:
                result = self.measure(sample, data_batch, index)
            except (TypeError, ValueError) as error:
                where = sample.get('img_path') or f'image {len(self.results)}'
                raise type(error)(
                    f'{type(self).__name__}, {where}: {error}') from error
            self.results.append(result)

    @abstractmethod
    def measure(self, sample: dict, data_batch: Optional[dict],
                index: int) -> Any:
        """Measure one image.

        Args:
            sample (dict): Its data sample.
            data_batch (dict, optional): What the loader gave.
            index (int): Number of the image in the batch.

        Returns:
            Any: Counts: small, and of a type that can be pickled.
        """

    @property
    def num_classes(self) -> int:
        """int: Number of classes of the data set."""
        classes = (self.dataset_meta or {}).get('classes')
        if not classes:
            raise ValueError('the data set must say in its meta information '
                             'what `classes` it has, got none')
        return len(classes)

    def ground_truth(self, sample: dict) -> Tensor:
        """Label map of the truth, (H, W)."""
        field = self.gt_field
        if field not in sample:
            raise ValueError(
                f'the data sample has no `{field}`: load annotations in the '
                'test pipeline, or name another field by `gt_field`')
        return _single_map(field, sample[field])

    @staticmethod
    def prediction(sample: dict) -> Tensor:
        """Label map that was predicted, (H, W)."""
        if 'pred_sem_seg' not in sample:
            raise ValueError('the data sample has no `pred_sem_seg`: the '
                             'model is no segmentor')
        pred = _single_map('pred_sem_seg', sample['pred_sem_seg'])
        # MMSegmentation's heads of a single channel give 0. and 1.
        is_binary = torch.equal(pred, pred.bool().to(pred))
        return pred.long() if is_binary else pred


def _single_map(name: str, field: Any) -> Tensor:
    """The one map of a field of a data sample."""
    data = torch.as_tensor(field['data'])
    if data.dim() == 3 and data.size(0) == 1:
        return data[0]
    if data.dim() == 2:
        return data
    raise ValueError(f'`{name}` must hold one label map, (1, H, W), got '
                     f'{tuple(data.shape)}')
