"""Hooks, optimizers, and strategies for sharded training."""

from .fsdp import ShardedStrategy, wrap_by_class_name
from .hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from .hooks.hierarchy_visualization_hook import HierarchyVisualizationHook
from .hooks.label_check_hook import LabelCheckHook
from .hooks.memory_bank_hook import MemoryBankHook
from .hooks.random_state_hook import RandomStateHook
from .hooks.save_label_maps_hook import SaveLabelMapsHook, UniqueNamesHook
from .optimizers import LayerDecayOptimWrapperConstructor
from .optimizers.patterns import PatternOptimWrapperConstructor
from .optimizers.sgd import SGD

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'LabelCheckHook',
    'LayerDecayOptimWrapperConstructor', 'MemoryBankHook',
    'PatternOptimWrapperConstructor', 'RandomStateHook', 'SGD',
    'SaveLabelMapsHook', 'ShardedStrategy', 'UniqueNamesHook',
    'wrap_by_class_name'
]
