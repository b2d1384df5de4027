"""Hooks, optimizers, and strategies for sharded training."""

from .fsdp import ShardedStrategy, wrap_by_class_name
from .hooks import (
    AtomicCheckpointHook,
    HierarchyVisualizationHook,
    LabelCheckHook,
    MemoryBankHook,
    RandomStateHook,
)
from .optimizers import LayerDecayOptimWrapperConstructor
from .optimizers.patterns import PatternOptimWrapperConstructor
from .optimizers.sgd import SGD

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'LabelCheckHook',
    'LayerDecayOptimWrapperConstructor', 'MemoryBankHook',
    'PatternOptimWrapperConstructor', 'RandomStateHook', 'SGD',
    'ShardedStrategy', 'wrap_by_class_name'
]
