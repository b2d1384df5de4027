"""Hooks; optimizer constructors are not registered yet."""

from .hooks import AtomicCheckpointHook, RandomStateHook

__all__ = ['AtomicCheckpointHook', 'RandomStateHook']
