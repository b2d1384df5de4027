"""Learning-rate schedules."""

import math

from mmengine.optim import _ParamScheduler
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from mmhierseg.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class DeiTLR(LRSchedulerMixin, _ParamScheduler):
    """DeiT's warm-up and cosine, changed once per epoch (Touvron, ICML 2021).

    As with timm's scheduler, the rate of epoch t is set at its end, so the
    first two epochs run at ``start`` and later ones at the rate of the epoch
    before. It rises linearly for ``warmup`` epochs, then follows a cosine
    that begins at the start of training.

    Args:
        optimizer (Optimizer | OptimWrapper): Its learning rate is the peak.
        T_max (int): Epochs of the cosine.
        warmup (int): Epochs of warm-up. Defaults to 5.
        start (float): Rate at which the warm-up begins. Defaults to 1e-6.
        eta_min (float): Rate at which the cosine ends. Defaults to 1e-5.
        **kwargs: Options of MMEngine's schedulers.
    """

    def __init__(self,
                 optimizer: object,
                 T_max: int,
                 warmup: int = 5,
                 start: float = 1e-6,
                 eta_min: float = 1e-5,
                 **kwargs) -> None:
        self.T_max = T_max
        self.warmup = warmup
        self.start = start
        self.eta_min = eta_min
        super().__init__(optimizer, **kwargs)

    def _get_value(self) -> list[float]:
        epoch = max(self.last_step - 1, 0)
        if epoch < self.warmup:
            low, share = self.start, epoch / self.warmup
        else:
            low = self.eta_min
            share = (1 + math.cos(math.pi * epoch / self.T_max)) / 2
        return [low + (peak - low) * share for peak in self.base_values]
