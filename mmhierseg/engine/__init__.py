"""Hooks and strategies; optimizer constructors are not registered yet."""

from .hooks import (
    AtomicCheckpointHook,
    HierarchyVisualizationHook,
    LabelCheckHook,
    MemoryBankHook,
    RandomStateHook,
)
from .strategies import ShardedStrategy, wrap_by_class_name

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'LabelCheckHook',
    'MemoryBankHook', 'RandomStateHook', 'ShardedStrategy',
    'wrap_by_class_name'
]
