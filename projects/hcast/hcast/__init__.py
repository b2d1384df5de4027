"""Classification along a taxonomy on the class tokens of CAST's stages."""

# Before MMPretrain: it repairs what the installed stack needs.
import mmhierseg  # noqa: F401

from .datasets import TaxonomyAircraft, TaxonomyCUB, TaxonomyFolder
from .head import HierarchicalClsHead
from .losses import hierarchical_losses
from .metrics import HierarchyAccuracy, path_metrics
from .taxonomy import Taxonomy

__all__ = [
    'HierarchicalClsHead', 'HierarchyAccuracy', 'Taxonomy', 'TaxonomyAircraft',
    'TaxonomyCUB', 'TaxonomyFolder', 'hierarchical_losses', 'path_metrics'
]
