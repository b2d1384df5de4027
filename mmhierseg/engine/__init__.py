"""Hooks, optimizer constructors, and strategies for sharded training."""

from .fsdp import ShardedStrategy, wrap_by_class_name
from .hooks import (
    AtomicCheckpointHook,
    HierarchyVisualizationHook,
    LabelCheckHook,
    MemoryBankHook,
    PassiveEMAHook,
    RandomStateHook,
)
from .optimizers import LayerDecayOptimWrapperConstructor
from .param_schedulers import DeiTLR

__all__ = [
    'AtomicCheckpointHook', 'DeiTLR', 'HierarchyVisualizationHook',
    'LabelCheckHook', 'LayerDecayOptimWrapperConstructor', 'MemoryBankHook',
    'PassiveEMAHook', 'RandomStateHook', 'ShardedStrategy',
    'wrap_by_class_name'
]
