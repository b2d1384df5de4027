"""Segmentors."""

from .hierarchy_encoder_decoder import HierarchyEncoderDecoder
from .retrieval_segmentor import RetrievalSegmentor

__all__ = ['HierarchyEncoderDecoder', 'RetrievalSegmentor']
