"""Hooks, optimizer constructors, and strategies for sharded training."""

from .fsdp import ShardedStrategy, wrap_by_class_name
from .hooks import (
    AtomicCheckpointHook,
    HierarchyVisualizationHook,
    LabelCheckHook,
    MemoryBankHook,
    RandomStateHook,
    SaveLabelMapsHook,
    UniqueNamesHook,
)
from .optimizers import LayerDecayOptimWrapperConstructor

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'LabelCheckHook',
    'LayerDecayOptimWrapperConstructor', 'MemoryBankHook', 'RandomStateHook',
    'SaveLabelMapsHook', 'ShardedStrategy', 'UniqueNamesHook',
    'wrap_by_class_name'
]
