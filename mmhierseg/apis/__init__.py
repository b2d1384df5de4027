"""Ready-made uses of the models."""

from .context_retriever import ContextRetriever, Match, Retrieval
from .hierarchy_inferencer import HierarchyInferencer
from .hierarchy_result import HierarchyResult
from .label_pngs import read_label_png
from .models import get_model, list_models, push_to_hub, save_pretrained
from .retrieval_html import retrieval_html
from .video import VideoFrames, follow_frames

__all__ = [
    'ContextRetriever', 'HierarchyInferencer', 'HierarchyResult', 'Match',
    'Retrieval', 'VideoFrames', 'follow_frames', 'get_model', 'list_models',
    'push_to_hub', 'read_label_png', 'retrieval_html', 'save_pretrained'
]
