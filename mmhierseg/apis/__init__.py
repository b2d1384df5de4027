"""Ready-made uses of the models."""

from .context_retriever import ContextRetriever, Match, Retrieval
from .hierarchy_inferencer import HierarchyInferencer
from .hierarchy_result import HierarchyResult
from .models import get_model, list_models, push_to_hub, save_pretrained

__all__ = [
    'ContextRetriever', 'HierarchyInferencer', 'HierarchyResult', 'Match',
    'Retrieval', 'get_model', 'list_models', 'push_to_hub', 'save_pretrained'
]
