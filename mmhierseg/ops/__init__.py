"""Functional core: tensors in, tensors out; torch only, no registries."""

from .farthest_point_sampling import farthest_point_sampling
from .grouping import assignment_logits, pool_tokens, take_tokens
from .interpolation import interpolation_taps
from .kmeans import (
    grid_clusters,
    nearest_prototype,
    spherical_kmeans,
    sum_by_label,
)
from .knn import first_of_largest, knn_retrieve
from .masked_mean import masked_mean
from .parents import look_up_parents
from .position_encoding import (
    resize_position_encoding,
    sincos_position_encoding,
)
from .relabel import compact_labels
from .segment_cross_entropy import (
    segment_class_counts,
    segment_cross_entropy,
)
from .segment_mean import segment_matrix, segment_mean, segment_sizes
from .segment_prototypes import majority_class, segment_prototypes
from .token_map import tokens_to_map

__all__ = [
    'assignment_logits', 'compact_labels', 'farthest_point_sampling',
    'first_of_largest', 'grid_clusters', 'interpolation_taps', 'knn_retrieve',
    'look_up_parents', 'majority_class', 'masked_mean', 'nearest_prototype',
    'pool_tokens', 'resize_position_encoding', 'segment_class_counts',
    'segment_cross_entropy', 'segment_matrix', 'segment_mean',
    'segment_prototypes', 'segment_sizes', 'sincos_position_encoding',
    'spherical_kmeans', 'sum_by_label', 'take_tokens', 'tokens_to_map'
]
