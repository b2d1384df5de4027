"""Heads: what turns segment tokens into classes or embeddings."""

from importlib.util import find_spec

from mmhierseg.utils.placeholder import register_placeholder

from .segment_embedder import SegmentEmbedder, SegmentEmbeddings
from .segmenter_weights import load_segmenter_weights

if find_spec('mmseg') is not None:
    from .segment_fcn_head import SegmentFCNHead
    from .segment_mask_transformer_head import SegmentMaskTransformerHead
else:
    SegmentFCNHead = register_placeholder('SegmentFCNHead', 'mmseg')
    SegmentMaskTransformerHead = register_placeholder(
        'SegmentMaskTransformerHead', 'mmseg')

__all__ = [
    'SegmentEmbedder', 'SegmentEmbeddings', 'SegmentFCNHead',
    'SegmentMaskTransformerHead', 'load_segmenter_weights'
]
