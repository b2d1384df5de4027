"""Ready-made uses of the models."""

from .context_retriever import ContextRetriever, Match, Retrieval
from .hierarchy_inferencer import HierarchyInferencer
from .models import get_model, list_models

__all__ = [
    'ContextRetriever', 'HierarchyInferencer', 'Match', 'Retrieval',
    'get_model', 'list_models'
]
