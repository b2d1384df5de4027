"""Hooks and strategies; optimizer constructors are not registered yet."""

from .hooks import AtomicCheckpointHook, RandomStateHook
from .strategies import ShardedStrategy, wrap_by_class_name

__all__ = [
    'AtomicCheckpointHook', 'RandomStateHook', 'ShardedStrategy',
    'wrap_by_class_name'
]
