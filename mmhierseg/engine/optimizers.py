"""Optimizer groups by the names of parameters."""

import math
from fnmatch import fnmatchcase

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmhierseg.registry import OPTIM_WRAPPER_CONSTRUCTORS


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
