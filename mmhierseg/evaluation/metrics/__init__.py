"""Registered metrics, for `val_evaluator` and `test_evaluator`."""

from .base import PerImageMetric, PerLevelMetric
from .boundary_f_score import BoundaryFScore
from .regions import NFCovering, RegionMIoU
from .superpixel_quality import SuperpixelQuality

__all__ = [
    'BoundaryFScore', 'NFCovering', 'PerImageMetric', 'PerLevelMetric',
    'RegionMIoU', 'SuperpixelQuality'
]
