"""Hooks; optimizer constructors are not registered yet."""

from .hooks import RandomStateHook

__all__ = ['RandomStateHook']
