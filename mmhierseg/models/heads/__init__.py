"""Heads: from segment tokens or features to classes or embeddings."""

from importlib.util import find_spec

from mmhierseg.registry import register_placeholder

from .embedders import FeatureMapEmbedder, SegmentEmbedder, SegmentEmbeddings
from .hsg_head import HSGHead
from .kmeans_hierarchy import KMeansHierarchy
from .segment_groups import SegmentGroups
from .segmenter_weights import load_segmenter_weights

if find_spec('mmseg') is not None:
    from .segment_fcn_head import SegmentFCNHead
    from .segment_mask_transformer_head import SegmentMaskTransformerHead
else:
    SegmentFCNHead = register_placeholder('SegmentFCNHead', 'mmseg')
    SegmentMaskTransformerHead = register_placeholder(
        'SegmentMaskTransformerHead', 'mmseg')

__all__ = [
    'FeatureMapEmbedder', 'HSGHead', 'KMeansHierarchy', 'SegmentEmbedder',
    'SegmentEmbeddings', 'SegmentFCNHead', 'SegmentGroups',
    'SegmentMaskTransformerHead', 'load_segmenter_weights'
]
