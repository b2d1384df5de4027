"""Ready-made uses of the models."""

from .hierarchy_inferencer import HierarchyInferencer

__all__ = ['HierarchyInferencer']
