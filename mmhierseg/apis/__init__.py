"""Ready-made uses of the models."""

from .context_retriever import ContextRetriever, Match, Retrieval
from .hierarchy_inferencer import HierarchyInferencer

__all__ = ['ContextRetriever', 'HierarchyInferencer', 'Match', 'Retrieval']
