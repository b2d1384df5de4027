"""Segmentors."""

from .hierarchy_encoder_decoder import HierarchyEncoderDecoder

__all__ = ['HierarchyEncoderDecoder']
