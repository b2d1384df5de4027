"""Hooks of the runner."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .hierarchy_visualization_hook import HierarchyVisualizationHook
from .label_check_hook import LabelCheckHook
from .memory_bank_hook import MemoryBankHook
from .passive_ema_hook import PassiveEMAHook
from .random_state_hook import RandomStateHook

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'LabelCheckHook',
    'MemoryBankHook', 'PassiveEMAHook', 'RandomStateHook'
]
