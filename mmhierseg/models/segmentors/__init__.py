"""Segmentors."""

from importlib.util import find_spec

from mmhierseg.registry import register_placeholder

if find_spec('mmseg') is not None:
    from .hierarchy_encoder_decoder import HierarchyEncoderDecoder
    from .hsg import HSG
    from .lean_encoder_decoder import LeanEncoderDecoder
    from .retrieval_segmentor import RetrievalSegmentor
else:
    HSG = register_placeholder('HSG', 'mmseg')
    HierarchyEncoderDecoder = register_placeholder('HierarchyEncoderDecoder',
                                                   'mmseg')
    LeanEncoderDecoder = register_placeholder('LeanEncoderDecoder', 'mmseg')
    RetrievalSegmentor = register_placeholder('RetrievalSegmentor', 'mmseg')

__all__ = [
    'HSG', 'HierarchyEncoderDecoder', 'LeanEncoderDecoder',
    'RetrievalSegmentor'
]
