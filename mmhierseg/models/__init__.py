"""Models: backbones, necks, heads, segmentors and data preprocessors."""

from .backbones import CAST
from .data_preprocessors import (
    MultiViewSegDataPreProcessor,
    SuperpixelClsDataPreprocessor,
    SuperpixelSegDataPreProcessor,
    SuperpixelSelfSupDataPreprocessor,
)
from .heads import (
    FeatureMapEmbedder,
    SegmentEmbedder,
    SegmentFCNHead,
    SegmentMaskTransformerHead,
)
from .necks import GraphPooling
from .segmentors import HierarchyEncoderDecoder, RetrievalSegmentor

__all__ = [
    'CAST', 'FeatureMapEmbedder', 'GraphPooling', 'HierarchyEncoderDecoder',
    'MultiViewSegDataPreProcessor', 'RetrievalSegmentor', 'SegmentEmbedder',
    'SegmentFCNHead', 'SegmentMaskTransformerHead',
    'SuperpixelClsDataPreprocessor', 'SuperpixelSegDataPreProcessor',
    'SuperpixelSelfSupDataPreprocessor'
]
