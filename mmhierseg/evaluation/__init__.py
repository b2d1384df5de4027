"""Metrics: a functional core, and the registered classes over it."""

from . import functional
from .metrics import (
    BoundaryFScore,
    NFCovering,
    PerImageMetric,
    PerLevelMetric,
    RegionMIoU,
    SuperpixelQuality,
)

__all__ = [
    'BoundaryFScore', 'NFCovering', 'PerImageMetric', 'PerLevelMetric',
    'RegionMIoU', 'SuperpixelQuality', 'functional'
]
