"""Hooks, constructors of optimizers, and strategies."""

from .hooks import (
    AtomicCheckpointHook,
    HierarchyVisualizationHook,
    LabelCheckHook,
    MemoryBankHook,
    RandomStateHook,
)
from .optimizers import LayerDecayOptimWrapperConstructor
from .strategies import ShardedStrategy, wrap_by_class_name

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'LabelCheckHook',
    'LayerDecayOptimWrapperConstructor', 'MemoryBankHook', 'RandomStateHook',
    'ShardedStrategy', 'wrap_by_class_name'
]
