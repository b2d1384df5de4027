"""Segmentors."""

from importlib.util import find_spec

from mmhierseg.registry import register_placeholder

__all__ = [
    'HSG', 'HierarchyEncoderDecoder', 'LeanEncoderDecoder',
    'RetrievalSegmentor'
]

if find_spec('mmseg') is not None:
    from .encoder_decoders import HierarchyEncoderDecoder, LeanEncoderDecoder
    from .hsg import HSG
    from .retrieval_segmentor import RetrievalSegmentor
else:
    HSG, HierarchyEncoderDecoder, LeanEncoderDecoder, RetrievalSegmentor = (
        register_placeholder(name, 'mmseg') for name in __all__)
