"""Learning-rate schedules."""

import math

from mmengine.optim import _ParamScheduler
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from mmhierseg.registry import PARAM_SCHEDULERS

__all__ = ['DeiTLR']


@PARAM_SCHEDULERS.register_module()
class DeiTLR(LRSchedulerMixin, _ParamScheduler):
    """Warm-up and cosine, changed once an epoch, as DeiT uses timm's.

    Touvron et al., ICML 2021. The rate of epoch t is set at its end, so the
    first epoch runs at ``start`` and every later one at the rate of the one
    before. It rises linearly for ``warmup`` epochs, then follows a cosine
    that is counted from the start of training.

    Args:
        optimizer (Optimizer | OptimWrapper): Its learning rate is the peak.
        T_max (int): Epochs of the cosine.
        warmup (int): Epochs of warm-up. Defaults to 5.
        start (float): Rate that the warm-up begins with. Defaults to 1e-6.
        eta_min (float): Rate that the cosine ends with. Defaults to 1e-5.
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
