"""Hooks; optimizer constructors are not registered yet."""

from .hooks import AtomicCheckpointHook, MemoryBankHook, RandomStateHook

__all__ = ['AtomicCheckpointHook', 'MemoryBankHook', 'RandomStateHook']
