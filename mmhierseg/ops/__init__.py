"""Functional core: tensors in, tensors out; torch only, no registries."""

from ._numba import for_each_image, has_numba, njit, use_compiled
from .batch_segments import (
    BatchSegments,
    batch_prototypes,
    cut_clusters,
    mean_over_segments,
    segment_positions,
    select_pixels,
)
from .centroid_contrast import centroid_contrast
from .farthest_point_sampling import farthest_point_sampling
from .grouping import assignment_logits, pool_tokens, take_tokens
from .interpolation import interpolation_taps
from .kmeans import (
    grid_clusters,
    nearest_prototype,
    spherical_kmeans,
    sum_by_label,
)
from .knn import first_of_largest, knn_retrieve, knn_search
from .graph import knn_adjacency
from .masked_mean import masked_mean
from .modularity import collapse_loss, modularity_loss
from .parents import look_up_parents
from .contrast import pixel_segment_contrast
from .position_encoding import (
    resize_position_encoding,
    sincos_position_encoding,
)
from .label_maps import compact_labels, joint_labels
from .segment_classes import (
    segment_class_counts,
    segment_cross_entropy,
)
from .segment_mean import segment_matrix, segment_mean, segment_sizes
from .segment_prototypes import majority_class, segment_prototypes
from .segment_sequences import SegmentSequences, segment_sequences
from .token_map import tokens_to_map
from .view_kmeans import cluster_views, location_features

__all__ = [
    'BatchSegments', 'SegmentSequences', 'assignment_logits',
    'batch_prototypes', 'centroid_contrast', 'cluster_views',
    'collapse_loss', 'compact_labels', 'cut_clusters',
    'farthest_point_sampling', 'first_of_largest', 'for_each_image',
    'grid_clusters', 'has_numba', 'interpolation_taps', 'joint_labels',
    'knn_adjacency', 'knn_retrieve', 'knn_search', 'location_features',
    'look_up_parents', 'majority_class', 'masked_mean',
    'mean_over_segments', 'modularity_loss', 'nearest_prototype', 'njit',
    'pixel_segment_contrast', 'pool_tokens', 'resize_position_encoding',
    'segment_class_counts', 'segment_cross_entropy', 'segment_matrix',
    'segment_mean', 'segment_positions', 'segment_prototypes',
    'segment_sequences', 'segment_sizes', 'select_pixels',
    'sincos_position_encoding', 'spherical_kmeans', 'sum_by_label',
    'take_tokens', 'tokens_to_map', 'use_compiled'
]
