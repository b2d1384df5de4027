"""Necks."""

from .clustering_transformer import ClusteringOutput, ClusteringTransformer
from .graph_pooling import GraphPooling, GraphPoolingOutput

__all__ = [
    'ClusteringOutput', 'ClusteringTransformer', 'GraphPooling',
    'GraphPoolingOutput'
]
