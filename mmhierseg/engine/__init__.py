"""Hooks, optimizer constructors, and strategies for sharded training."""

from .fsdp import ShardedStrategy, wrap_by_class_name
from .hooks import (
    AtomicCheckpointHook,
    HierarchyVisualizationHook,
    LabelCheckHook,
    MemoryBankHook,
    RandomStateHook,
)
from .optimizers import LayerDecayOptimWrapperConstructor

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'LabelCheckHook',
    'LayerDecayOptimWrapperConstructor', 'MemoryBankHook', 'RandomStateHook',
    'ShardedStrategy', 'wrap_by_class_name'
]
