"""Hooks of the runner."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .hierarchy_visualization_hook import HierarchyVisualizationHook
from .random_state_hook import RandomStateHook

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'RandomStateHook'
]
