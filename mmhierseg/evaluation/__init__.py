"""Metrics; none is registered yet."""
