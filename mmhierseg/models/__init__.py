"""Models: backbones, necks, heads, segmentors and data preprocessors."""

from .backbones import CAST
from .data_preprocessors import (
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
from .necks import ClusteringTransformer, GraphPooling
from .segmentors import HierarchyEncoderDecoder, RetrievalSegmentor

__all__ = [
    'CAST', 'ClusteringTransformer', 'FeatureMapEmbedder', 'GraphPooling',
    'HierarchyEncoderDecoder', 'RetrievalSegmentor', 'SegmentEmbedder',
    'SegmentFCNHead', 'SegmentMaskTransformerHead',
    'SuperpixelClsDataPreprocessor', 'SuperpixelSegDataPreProcessor',
    'SuperpixelSelfSupDataPreprocessor'
]
