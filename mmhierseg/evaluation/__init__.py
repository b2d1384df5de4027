"""Metrics: a functional core, and the registered classes over it."""

from . import functional
from .memory_bank import MemoryBank
from .metrics import (
    BoundaryFScore,
    NFCovering,
    PerImageMetric,
    PerLevelMetric,
    RegionMIoU,
    SuperpixelQuality,
)

__all__ = [
    'BoundaryFScore', 'MemoryBank', 'NFCovering', 'PerImageMetric',
    'PerLevelMetric', 'RegionMIoU', 'SuperpixelQuality', 'functional'
]
