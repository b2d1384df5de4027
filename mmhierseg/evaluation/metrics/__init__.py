"""Registered metrics, for `val_evaluator` and `test_evaluator`."""

from .boundary_f_score import BoundaryFScore
from .nf_covering import NFCovering
from .per_image import PerImageMetric
from .per_level import PerLevelMetric
from .region_miou import RegionMIoU
from .superpixel_quality import SuperpixelQuality

__all__ = [
    'BoundaryFScore', 'NFCovering', 'PerImageMetric', 'PerLevelMetric',
    'RegionMIoU', 'SuperpixelQuality'
]
