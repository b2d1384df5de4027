"""Segmentors."""

from importlib.util import find_spec

from mmhierseg.utils.placeholder import register_placeholder

if find_spec('mmseg') is not None:
    from .hierarchy_encoder_decoder import HierarchyEncoderDecoder
else:
    HierarchyEncoderDecoder = register_placeholder('HierarchyEncoderDecoder',
                                                   'mmseg')

__all__ = ['HierarchyEncoderDecoder']
