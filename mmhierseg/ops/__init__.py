"""Pure functions on tensors: torch only, no registries.

Bad input raises ``TypeError`` (wrong dtype) or ``ValueError`` (shapes that do
not match, values out of the documented range). Values of a tensor are read
only where that does not stop a GPU or a traced graph. Half precision is
computed in float32. ``empty``, ``ignored`` and ``padding`` are masks, True
where there is nothing to take into account.
"""

from ._numba import for_each_image, has_numba, njit, use_compiled
from .batch_segments import (
    BatchSegments,
    SegmentSequences,
    cut_clusters,
    segment_sequences,
)
from .contrast import centroid_contrast, pixel_segment_contrast
from .farthest_point_sampling import farthest_point_sampling
from .graph import collapse_loss, knn_adjacency, modularity_loss
from .grouping import assignment_logits, masked_mean, pool_tokens, take_tokens
from .kmeans import (
    cluster_views,
    grid_clusters,
    kmeans_hierarchy,
    nearest_prototype,
    spherical_kmeans,
)
from .knn import knn_retrieve, knn_search
from .label_maps import (
    compact_labels,
    joint_labels,
    look_up_parents,
    tokens_to_map,
)
from .label_sums import sum_by_label
from .position_encoding import (
    resize_position_encoding,
    sincos_position_encoding,
)
from .segment_classes import (
    majority_class,
    segment_class_counts,
    segment_cross_entropy,
)
from .segment_prototypes import (
    batch_prototypes,
    segment_positions,
    segment_prototypes,
    select_pixels,
)
from .segment_weights import segment_matrix, segment_mean, segment_sizes

__all__ = [
    'BatchSegments', 'SegmentSequences', 'assignment_logits',
    'batch_prototypes', 'centroid_contrast', 'cluster_views', 'collapse_loss',
    'compact_labels', 'cut_clusters', 'farthest_point_sampling',
    'for_each_image', 'grid_clusters', 'has_numba', 'joint_labels',
    'kmeans_hierarchy', 'knn_adjacency', 'knn_retrieve', 'knn_search',
    'look_up_parents', 'majority_class', 'masked_mean', 'modularity_loss',
    'nearest_prototype', 'njit', 'pixel_segment_contrast', 'pool_tokens',
    'resize_position_encoding', 'segment_class_counts',
    'segment_cross_entropy', 'segment_matrix', 'segment_mean',
    'segment_positions', 'segment_prototypes', 'segment_sequences',
    'segment_sizes', 'select_pixels', 'sincos_position_encoding',
    'spherical_kmeans', 'sum_by_label', 'take_tokens', 'tokens_to_map',
    'use_compiled'
]
