"""Building blocks of the models."""

from .batch_norm import (
    BatchNormDecoderLayer,
    BatchNormEncoderLayer,
    TokenBatchNorm,
    normalise_rows,
    weighted_batch_norm,
)
from .block_fusion import BlockFusion
from .conv_stem import ConvStem
from .default_init import PyTorchInit
from .learned_positions import LearnedPositions
from .rgbs import check_rgbs, split_rgbs
from .segment_kmeans import SegmentKMeans
from .transformer import (
    MaskedSelfAttention,
    TransformerBlock,
    init_mocov3_,
    init_timm_vit_,
    keep_one_key,
)

__all__ = [
    'BatchNormDecoderLayer', 'BatchNormEncoderLayer', 'BlockFusion',
    'ConvStem', 'LearnedPositions', 'MaskedSelfAttention', 'PyTorchInit',
    'SegmentKMeans', 'TokenBatchNorm', 'TransformerBlock', 'check_rgbs',
    'init_mocov3_', 'init_timm_vit_', 'keep_one_key', 'normalise_rows',
    'split_rgbs', 'weighted_batch_norm'
]
