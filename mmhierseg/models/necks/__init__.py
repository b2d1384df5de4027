"""Necks."""

from .graph_pooling import GraphPooling, GraphPoolingOutput

__all__ = ['GraphPooling', 'GraphPoolingOutput']
