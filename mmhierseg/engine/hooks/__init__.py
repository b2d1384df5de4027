"""Hooks of the runner."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .hierarchy_visualization_hook import HierarchyVisualizationHook
from .memory_bank_hook import MemoryBankHook
from .random_state_hook import RandomStateHook

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'MemoryBankHook',
    'RandomStateHook'
]
