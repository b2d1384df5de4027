"""Reject labels outside of the classes."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.engine.hooks import unwrap_model
from mmhierseg.registry import HOOKS


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Rejects out-of-range labels in training, validation and testing.

    Without it, such a label causes a GPU error that names no file, and
    MMSegmentation's ``IoUMetric`` ignores it. Labels are checked on the CPU,
    as they come from the loader.

    In training, the classes are those of the model; in validation and
    testing, those of the dataset, which metrics use. Models without
    ``num_classes`` and data samples without ``gt_sem_seg`` are not checked.

    Args:
        interval (int): Check every ``interval``-th batch; 0 is never.
    """

    def __init__(self, interval: int = 1) -> None:
        self.interval = interval

    def _before_iter(self,
                     runner: Runner,
                     batch_idx: int,
                     data_batch: dict | None = None,
                     mode: str = 'train') -> None:
        model = unwrap_model(runner.model)
        number = getattr(model, 'num_classes', None)
        if (not self.interval or batch_idx % self.interval
                or not isinstance(number, int)
                or not isinstance(data_batch, dict)):
            return
        if mode != 'train':
            dataset = getattr(runner, f'{mode}_loop').dataloader.dataset
            metainfo = getattr(dataset, 'metainfo', None) or {}
            number = len(metainfo.get('classes') or ()) or number
        heads = getattr(model, 'decode_head', None)
        head = heads[-1] if isinstance(heads, nn.ModuleList) else heads
        ignored = getattr(head, 'ignore_index', 255)
        _check_labels(
            data_batch.get('data_samples'), number,
            getattr(model, 'ignore_index', ignored))


def _check_labels(samples: Any, num_classes: int, ignore_index: int) -> None:
    """Check data samples, also in lists of augmented views."""
    if isinstance(samples, (list, tuple)):
        for sample in samples:
            _check_labels(sample, num_classes, ignore_index)
    if not (isinstance(samples, BaseDataElement) and 'gt_sem_seg' in samples):
        return
    labels = samples.gt_sem_seg.data
    wrong = (labels < 0) | (labels >= num_classes)
    wrong &= labels != ignore_index
    if wrong.any():
        path = samples.get('seg_map_path')
        raise UserError(
            f'{repr(path) if path else "the ground truth"} has the labels '
            f'{labels[wrong].unique().tolist()[:8]}, but there are '
            f'{num_classes} classes: labels must be 0 to {num_classes - 1}, '
            f'or {ignore_index}, which is ignored. Change `num_classes` of '
            'the heads, or `metainfo` or `reduce_zero_label` of the dataset')
