"""Registered metrics, for `val_evaluator` and `test_evaluator`."""

from .base import PerImageMetric, PerLevelMetric
from .boundary_f_score import BoundaryFScore
from .per_image_miou import PerImageMIoU
from .regions import NFCovering, RegionMIoU
from .superpixel_quality import SuperpixelQuality

__all__ = [
    'BoundaryFScore', 'NFCovering', 'PerImageMIoU', 'PerImageMetric',
    'PerLevelMetric', 'RegionMIoU', 'SuperpixelQuality'
]
