"""Registered losses over the functions of ``mmhierseg.ops``."""

from .contrast_losses import CentroidContrastLoss, PixelSegmentContrastLoss
from .dmon_loss import DMoNLoss

__all__ = ['CentroidContrastLoss', 'DMoNLoss', 'PixelSegmentContrastLoss']
