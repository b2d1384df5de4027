"""Models: backbones, necks, heads and data preprocessors."""

from .backbones import CAST
from .data_preprocessors import (
    SuperpixelClsDataPreprocessor,
    SuperpixelSegDataPreProcessor,
    SuperpixelSelfSupDataPreprocessor,
)
from .heads import (
    SegmentEmbedder,
    SegmentFCNHead,
    SegmentMaskTransformerHead,
)
from .necks import GraphPooling

__all__ = [
    'CAST', 'GraphPooling', 'SegmentEmbedder', 'SegmentFCNHead',
    'SegmentMaskTransformerHead', 'SuperpixelClsDataPreprocessor',
    'SuperpixelSegDataPreProcessor', 'SuperpixelSelfSupDataPreprocessor'
]
