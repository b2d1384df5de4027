"""Models: backbones, necks, heads, losses, segmentors, data preprocessors."""

from .backbones import CAST, DINOv3ViT, MoCoV3ConvViT
from .data_preprocessors import (
    MultiViewSegDataPreProcessor,
    SuperpixelClsDataPreprocessor,
    SuperpixelSegDataPreProcessor,
    SuperpixelSelfSupDataPreprocessor,
)
from .heads import (
    FeatureMapEmbedder,
    HSGHead,
    KMeansHierarchy,
    SegmentEmbedder,
    SegmentFCNHead,
    SegmentMaskTransformerHead,
)
from .losses import CentroidContrastLoss, DMoNLoss, PixelSegmentContrastLoss
from .model_hub import register_model_index
from .necks import ClusteringTransformer, EmbeddingNeck, GraphPooling
from .segmentors import (
    HSG,
    HierarchyEncoderDecoder,
    LeanEncoderDecoder,
    RetrievalSegmentor,
)

__all__ = [
    'CAST', 'CentroidContrastLoss', 'ClusteringTransformer', 'DINOv3ViT',
    'DMoNLoss', 'EmbeddingNeck', 'FeatureMapEmbedder', 'GraphPooling', 'HSG',
    'HSGHead', 'HierarchyEncoderDecoder', 'KMeansHierarchy',
    'LeanEncoderDecoder',
    'MoCoV3ConvViT', 'MultiViewSegDataPreProcessor',
    'PixelSegmentContrastLoss', 'RetrievalSegmentor', 'SegmentEmbedder',
    'SegmentFCNHead', 'SegmentMaskTransformerHead',
    'SuperpixelClsDataPreprocessor', 'SuperpixelSegDataPreProcessor',
    'SuperpixelSelfSupDataPreprocessor'
]

register_model_index()
