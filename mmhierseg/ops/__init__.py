"""Functional core: tensors in, tensors out; torch only, no registries."""

from .farthest_point_sampling import farthest_point_sampling
from .grouping import assignment_logits, pool_tokens, take_tokens
from .interpolation import interpolation_taps
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
from .token_map import tokens_to_map

__all__ = [
    'assignment_logits', 'compact_labels', 'farthest_point_sampling',
    'interpolation_taps', 'look_up_parents', 'masked_mean', 'pool_tokens',
    'resize_position_encoding', 'segment_class_counts',
    'segment_cross_entropy', 'segment_matrix', 'segment_mean',
    'segment_sizes', 'sincos_position_encoding', 'take_tokens',
    'tokens_to_map'
]
