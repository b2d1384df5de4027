"""Metrics: functions on label maps, and registered classes over them."""

from . import functional
from .memory_bank import MemoryBank
from .metrics import (
    BoundaryFScore,
    NFCovering,
    PerImageMetric,
    PerImageMIoU,
    PerLevelMetric,
    RegionMIoU,
    SuperpixelQuality,
)

__all__ = [
    'BoundaryFScore', 'MemoryBank', 'NFCovering', 'PerImageMIoU',
    'PerImageMetric', 'PerLevelMetric', 'RegionMIoU', 'SuperpixelQuality',
    'functional'
]
