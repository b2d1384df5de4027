"""Hooks; optimizer constructors are not registered yet."""

from .hooks import (
    AtomicCheckpointHook,
    HierarchyVisualizationHook,
    RandomStateHook,
)

__all__ = [
    'AtomicCheckpointHook', 'HierarchyVisualizationHook', 'RandomStateHook'
]
