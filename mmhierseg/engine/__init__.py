"""Hooks and optimizer constructors; none is registered yet."""
