"""Optimizers and their constructors."""

from importlib.util import find_spec

from mmhierseg.registry import OPTIM_WRAPPER_CONSTRUCTORS, register_placeholder

from .patterns import PatternOptimWrapperConstructor
from .sgd import SGD

if find_spec('mmpretrain') is not None:
    from .layer_decay import LayerDecayOptimWrapperConstructor
else:
    LayerDecayOptimWrapperConstructor = register_placeholder(
        'LayerDecayOptimWrapperConstructor', 'mmpretrain',
        OPTIM_WRAPPER_CONSTRUCTORS)

__all__ = [
    'SGD', 'LayerDecayOptimWrapperConstructor',
    'PatternOptimWrapperConstructor'
]
