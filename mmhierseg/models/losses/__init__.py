"""Registered losses over the functions of ``mmhierseg.ops``."""

from .centroid_contrast_loss import CentroidContrastLoss
from .dmon_loss import DMoNLoss
from .pixel_segment_contrast_loss import PixelSegmentContrastLoss

__all__ = ['CentroidContrastLoss', 'DMoNLoss', 'PixelSegmentContrastLoss']
