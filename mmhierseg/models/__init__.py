"""Models: backbones, necks and data preprocessors."""

from .backbones import CAST
from .data_preprocessors import (
    SuperpixelClsDataPreprocessor,
    SuperpixelSegDataPreProcessor,
    SuperpixelSelfSupDataPreprocessor,
)
from .necks import GraphPooling

__all__ = [
    'CAST', 'GraphPooling', 'SuperpixelClsDataPreprocessor',
    'SuperpixelSegDataPreProcessor', 'SuperpixelSelfSupDataPreprocessor'
]
