"""Ground truth that the classes do not fit is told, not trained on."""

from typing import Any, Iterator, Optional

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn

from mmhierseg.registry import HOOKS

__all__ = ['LabelCheckHook']


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Refuses label ids beyond the classes, in training, validation and test.

    Without it, such a label ends in an error deep inside the loss, which on a
    GPU names neither the label nor the file, and MMSegmentation's
    ``IoUMetric`` passes it over without a word. Labels are looked at as they
    come from the loader, in main memory: the GPU is not waited for.

    In training, the classes are those of the model; in validation and
    testing those of the data set, by which metrics count. Models without
    ``num_classes`` and data samples without ``gt_sem_seg`` are passed over.
    ``tools/train.py`` and ``tools/test.py`` add the hook, unless
    ``custom_hooks`` has one.

    Args:
        interval (int): Of the batches to look at; 0 is none. Defaults to 1,
            all.

    Raises:
        ValueError: If ``interval`` is negative.
    """

    def __init__(self, interval: int = 1) -> None:
        if interval < 0:
            raise ValueError(f'`interval` must be at least 0, got {interval}')
        self.interval = interval

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Optional[dict] = None) -> None:
        """Check what the model is to be trained on."""
        self._check(runner, batch_idx, data_batch)

    def before_val_iter(self,
                        runner: Runner,
                        batch_idx: int,
                        data_batch: Optional[dict] = None) -> None:
        """Check what predictions are to be compared with."""
        self._check(runner, batch_idx, data_batch, runner.val_loop)

    def before_test_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Optional[dict] = None) -> None:
        """Check what predictions are to be compared with."""
        self._check(runner, batch_idx, data_batch, runner.test_loop)

    def _check(self,
               runner: Runner,
               batch_idx: int,
               data_batch: Optional[dict],
               loop: Any = None) -> None:
        if not self.interval or batch_idx % self.interval:
            return
        model = _bare(runner.model)
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
        raise ValueError(
            f'{repr(path) if path else "the ground truth"} has the labels '
            f'{labels[wrong].unique().tolist()[:8]}, but there are '
            f'{num_classes} classes: labels are 0 to {num_classes - 1}, and '
            f'{ignore_index}, which is ignored. Change `num_classes` of the '
            'heads, or the classes (`metainfo`) or `reduce_zero_label` of the '
            'data set')


def _flatten(samples: Any) -> Iterator[BaseDataElement]:
    """Data samples of a batch; of augmented images, those of each view."""
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


def _bare(model: nn.Module) -> nn.Module:
    """Take the wrappers for several processes and for augmentation off."""
    if is_model_wrapper(model):
        model = model.module
    return model.module if isinstance(model, BaseTTAModel) else model
