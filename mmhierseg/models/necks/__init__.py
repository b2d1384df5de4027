"""Necks."""

from .clustering_transformer import ClusteringOutput, ClusteringTransformer
from .embedding_neck import EmbeddingNeck
from .graph_pooling import GraphPooling, GraphPoolingOutput

__all__ = [
    'ClusteringOutput', 'ClusteringTransformer', 'EmbeddingNeck',
    'GraphPooling', 'GraphPoolingOutput'
]
