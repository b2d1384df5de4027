"""AdamW and SGD with more options, and optimizer groups."""

import math
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

import torch
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import Tensor, nn

from mmhierseg.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIMIZERS

#: Devices that have a fused AdamW.
_FUSED = {'cpu', 'cuda', 'mps', 'xpu'}


@OPTIMIZERS.register_module()
class AdamW(torch.optim.AdamW):
    """PyTorch's AdamW, with the fused implementation where there is one.

    It can load the state of either implementation.

    Args:
        params: See :class:`torch.optim.AdamW`.
        fused (bool, optional): Whether to use the fused implementation, which
            is faster. By default it is used if all parameters are on devices
            that have it, and neither ``foreach`` nor ``differentiable`` is
            set. FSDP's gradient scaler needs False.
        **kwargs: See :class:`torch.optim.AdamW`.
    """

    def __init__(self, params: Iterable, *, fused: bool | None = None,
                 **kwargs) -> None:
        super().__init__(params, fused=fused, **kwargs)
        if all(group['fused'] is None and not group['foreach']
               and not group['differentiable']
               and {p.device.type for p in group['params']} <= _FUSED
               for group in self.param_groups):
            groups = [dict(group, fused=True) for group in self.param_groups]
            super().__init__(groups, fused=True, **kwargs)

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the state of an AdamW; this one keeps its implementation.

        PyTorch would take ``fused`` from the state; gradients might then stay
        scaled, which the fused step undoes.
        """
        groups = [dict(group, fused=self.defaults['fused'])
                  for group in state_dict['param_groups']]
        super().load_state_dict({**state_dict, 'param_groups': groups})


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


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PatternOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Learning rate and weight decay by patterns of a parameter's name.

    ``paramwise_cfg`` has the key ``patterns``. The factors of all patterns
    that match a name are multiplied, for example::

        optim_wrapper = dict(
            constructor='mmhierseg.PatternOptimWrapperConstructor',
            paramwise_cfg=dict(patterns={
                '*bias': dict(lr_mult=2, decay_mult=0),
                'head.*': dict(lr_mult=10)}))

    so that biases of the head have 20 times the rate. Unlike MMEngine's
    ``bias_lr_mult``, this includes biases of norm layers and of packed
    attention (``in_proj_bias``). Parameters that match the same patterns form
    a group; those with an ``lr_mult`` of 0 are in none and keep their values.

    Raises:
        ValueError: If a pattern matches no parameter, or there are other
            keys.
    """

    def add_params(self, params: list[dict], module: nn.Module,
                   **kwargs) -> None:
        """Add the parameters of a model to groups."""
        if set(self.paramwise_cfg) != {'patterns'}:
            raise ValueError('`paramwise_cfg` must have the key `patterns` '
                             f'alone, got {sorted(self.paramwise_cfg)}')
        patterns = self.paramwise_cfg['patterns']
        unused, groups = set(patterns), {}
        for name, parameter in module.named_parameters():
            found = tuple(p for p in patterns if fnmatchcase(name, p))
            unused.difference_update(found)
            if parameter.requires_grad and all(
                    patterns[p].get('lr_mult', 1.) for p in found):
                groups.setdefault(found, []).append(parameter)
        if unused:
            raise ValueError('`patterns` must match parameters of the model, '
                             f'got {sorted(unused)}, which match none')
        for found, members in groups.items():
            params.append(dict(params=members))
            for key, base, factor in (
                    ('lr', self.base_lr, 'lr_mult'),
                    ('weight_decay', self.base_wd, 'decay_mult')):
                if base is not None:
                    params[-1][key] = base * math.prod(
                        patterns[p].get(factor, 1.) for p in found)
