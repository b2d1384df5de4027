"""Metrics of one of the two tasks, objects or parts."""

import numpy as np
from torch import Tensor

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import class_names
from mmhierseg.evaluation import BoundaryFScore, PerImageMIoU
from mmhierseg.registry import METRICS


class _TaskMetric:
    """Takes ``gt_<task>`` and ``pred_<task>`` of the data samples.

    Args:
        task (str): 'object' or 'part'.
        **kwargs: Arguments of the metric.
    """

    def __init__(self, task: str, **kwargs) -> None:
        self.number = len(class_names(task))
        self.task = task
        super().__init__(gt_field=f'gt_{task}', **kwargs)

    @property
    def num_classes(self) -> int:
        """Number of classes of the task, with the background."""
        return self.number

    def prediction(self, sample: dict) -> Tensor:
        """Predicted label map, (H, W)."""
        field = f'pred_{self.task}'
        if field not in sample:
            raise UserError(f'the data sample has no `{field}`: the model is '
                            'no PartLabeller')
        return sample[field]['data'][0]


@METRICS.register_module()
class TaskMIoU(_TaskMetric, PerImageMIoU):
    """:class:`~mmhierseg.evaluation.PerImageMIoU` of a task.

    Results: ``<task>/mIoU``, ``<task>/images``, ``<task>/failed``.
    """

    def __init__(self, task: str, **kwargs) -> None:
        super().__init__(task, prefix=task, **kwargs)


@METRICS.register_module()
class TaskBoundaryFScore(_TaskMetric, BoundaryFScore):
    """:class:`~mmhierseg.evaluation.BoundaryFScore` of a task.

    Results: ``<task>/BoundaryFScore/mFscore`` and so on. Failed images are
    left out. The tolerance is that of this package: the one of the paper is
    not known.
    """

    def __init__(self, task: str, **kwargs) -> None:
        super().__init__(task, prefix=f'{task}/BoundaryFScore', **kwargs)

    def measure(self, sample: dict, data_batch: dict | None,
                index: int) -> np.ndarray:
        """(4, C) int64; zeros, which change no sum, if the image failed."""
        if sample.get('failure'):
            return np.zeros((4, self.num_classes), dtype=np.int64)
        return super().measure(sample, data_batch, index)
