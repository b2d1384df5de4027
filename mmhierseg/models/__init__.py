"""Models: backbones, necks, heads, segmentors and data preprocessors."""

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
from .segmentors import HierarchyEncoderDecoder

__all__ = [
    'CAST', 'GraphPooling', 'HierarchyEncoderDecoder', 'SegmentEmbedder',
    'SegmentFCNHead', 'SegmentMaskTransformerHead',
    'SuperpixelClsDataPreprocessor', 'SuperpixelSegDataPreProcessor',
    'SuperpixelSelfSupDataPreprocessor'
]
