"""Reject labels that the classes do not have."""

from collections.abc import Iterator
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.engine.hooks.unwrap import unwrap_model
from mmhierseg.registry import HOOKS

__all__ = ['LabelCheckHook']


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Rejects out-of-range labels, in training, validation and testing.

    Without it, such a label ends in an error deep inside the loss, which on a
    GPU names neither the label nor the file, and MMSegmentation's
    ``IoUMetric`` ignores it silently. Labels are checked in main memory, as
    they come from the loader: the GPU is not waited for.

    In training, the classes are those of the model; in validation and
    testing those of the dataset, by which metrics count. Models without
    ``num_classes`` and data samples without ``gt_sem_seg`` are not checked.

    Args:
        interval (int): Every how many batches to check; 0 is never. Defaults
            to 1.

    Raises:
        ValueError: If ``interval`` is negative.
    """

    def __init__(self, interval: int = 1) -> None:
        if interval < 0:
            raise ValueError(f'`interval` must be at least 0, got {interval}')
        self.interval = interval

    def before_train_iter(self, runner: Runner, batch_idx: int,
                          data_batch: dict | None = None) -> None:
        """Check what the model is to be trained on."""
        self._check(runner, batch_idx, data_batch)

    def before_val_iter(self, runner: Runner, batch_idx: int,
                        data_batch: dict | None = None) -> None:
        """Check what predictions are to be compared with."""
        self._check(runner, batch_idx, data_batch, runner.val_loop)

    def before_test_iter(self, runner: Runner, batch_idx: int,
                         data_batch: dict | None = None) -> None:
        """Check what predictions are to be compared with."""
        self._check(runner, batch_idx, data_batch, runner.test_loop)

    def _check(self, runner: Runner, batch_idx: int, data_batch: dict | None,
               loop: Any = None) -> None:
        if not self.interval or batch_idx % self.interval:
            return
        model = unwrap_model(runner.model)
        number = getattr(model, 'num_classes', None)
        if not isinstance(number, int) or not isinstance(data_batch, dict):
            return
        if loop is not None:
            dataset = loop.dataloader.dataset
            metainfo = getattr(dataset, 'metainfo', None) or {}
            number = len(metainfo.get('classes') or ()) or number
        for sample in _flatten(data_batch.get('data_samples')):
            if 'gt_sem_seg' in sample:
                _check_labels(sample, number, _ignore_index(model))


def _check_labels(sample: BaseDataElement, num_classes: int,
                  ignore_index: int) -> None:
    labels = sample.gt_sem_seg.data
    wrong = (labels < 0) | (labels >= num_classes)
    wrong &= labels != ignore_index
    if wrong.any():
        path = sample.get('seg_map_path')
        raise UserError(
            f'{repr(path) if path else "the ground truth"} has the labels '
            f'{labels[wrong].unique().tolist()[:8]}, but there are '
            f'{num_classes} classes: labels must be 0 to {num_classes - 1}, '
            f'or {ignore_index}, which is ignored. Change `num_classes` of '
            'the heads, or the classes (`metainfo`) or `reduce_zero_label` of '
            'the dataset')


def _flatten(samples: Any) -> Iterator[BaseDataElement]:
    """Data samples of a batch, also of the views of augmented images."""
    if isinstance(samples, BaseDataElement):
        yield samples
    elif isinstance(samples, (list, tuple)):
        for part in samples:
            yield from _flatten(part)


def _ignore_index(model: nn.Module) -> int:
    """The model's own, or that of its last head."""
    heads = getattr(model, 'decode_head', None)
    head = heads[-1] if isinstance(heads, nn.ModuleList) else heads
    for owner in (model, head):
        value = getattr(owner, 'ignore_index', None)
        if isinstance(value, int):
            return value
    return 255
