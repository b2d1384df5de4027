"""SGD whose momentum can contain the learning rate."""

from collections.abc import Callable

import torch
from torch import Tensor

from mmhierseg.registry import OPTIMIZERS


@OPTIMIZERS.register_module()
class SGD(torch.optim.SGD):
    """PyTorch's SGD, or the form of Caffe and of HSG's authors.

    With ``rate_in_momentum`` the update of a parameter p with gradient g is

        v = momentum * v + lr * (g + weight_decay * p);  p = p - v,

    where PyTorch has ``lr`` in the second equation: past gradients keep their
    rate. The two differ only if the rate changes.

    Args:
        params: See :class:`torch.optim.SGD`.
        rate_in_momentum (bool): Defaults to False. With True, ``nesterov``,
            ``dampening`` and ``maximize`` are ValueErrors.
        **kwargs: See :class:`torch.optim.SGD`.
    """

    def __init__(self, params, *, rate_in_momentum: bool = False,
                 **kwargs) -> None:
        super().__init__(params, **kwargs)
        self.rate_in_momentum = rate_in_momentum
        for name in ('nesterov', 'dampening', 'maximize'):
            if rate_in_momentum and self.defaults[name]:
                raise ValueError(f'`{name}` and `rate_in_momentum` exclude '
                                 f'each other, got {self.defaults[name]}')

    def step(self, closure: Callable | None = None) -> Tensor | None:
        """Update the parameters; the loss of ``closure``, if given."""
        if not self.rate_in_momentum:
            return super().step(closure)
        loss = None if closure is None else torch.enable_grad()(closure)()
        with torch.no_grad():
            for group in self.param_groups:
                self._update(group)
        return loss

    def _update(self, group: dict) -> None:
        params = [p for p in group['params'] if p.grad is not None]
        if not params:
            return
        for p in params:
            # Not PyTorch's `momentum_buffer`, which is in other units.
            if 'velocity' not in self.state[p]:
                self.state[p]['velocity'] = torch.zeros_like(p)
        velocities = [self.state[p]['velocity'] for p in params]
        steps = torch._foreach_add([p.grad for p in params], params,
                                   alpha=group['weight_decay'])
        torch._foreach_mul_(steps, group['lr'])
        torch._foreach_mul_(velocities, group['momentum'])
        torch._foreach_add_(velocities, steps)
        torch._foreach_sub_(params, velocities)
