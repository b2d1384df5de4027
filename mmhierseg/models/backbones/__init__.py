"""Backbones."""

from .cast import CAST

__all__ = ['CAST']
