"""Models: backbones, necks and data preprocessors."""

from .backbones import CAST
from .necks import GraphPooling

__all__ = ['CAST', 'GraphPooling']
