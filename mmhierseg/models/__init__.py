"""Models: backbones, necks, heads, losses, segmentors, preprocessors."""

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
from .losses import (
    CentroidContrastLoss,
    DMoNLoss,
    PixelSegmentContrastLoss,
)
from .necks import GraphPooling
from .segmentors import HierarchyEncoderDecoder, RetrievalSegmentor

__all__ = [
    'CAST', 'CentroidContrastLoss', 'DMoNLoss', 'FeatureMapEmbedder',
    'GraphPooling', 'HierarchyEncoderDecoder', 'PixelSegmentContrastLoss',
    'RetrievalSegmentor', 'SegmentEmbedder', 'SegmentFCNHead',
    'SegmentMaskTransformerHead', 'SuperpixelClsDataPreprocessor',
    'SuperpixelSegDataPreProcessor', 'SuperpixelSelfSupDataPreprocessor'
]
