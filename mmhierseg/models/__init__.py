"""Models: backbones, necks, segmentors and data preprocessors."""

from .backbones import CAST
from .data_preprocessors import (
    SuperpixelClsDataPreprocessor,
    SuperpixelSegDataPreProcessor,
    SuperpixelSelfSupDataPreprocessor,
)
from .necks import GraphPooling
from .segmentors import HierarchyEncoderDecoder

__all__ = [
    'CAST', 'GraphPooling', 'HierarchyEncoderDecoder',
    'SuperpixelClsDataPreprocessor', 'SuperpixelSegDataPreProcessor',
    'SuperpixelSelfSupDataPreprocessor'
]
