"""Building blocks of the models."""

from .attention import MaskedSelfAttention, keep_one_key
from .batch_norm_layers import BatchNormDecoderLayer, BatchNormEncoderLayer
from .block_fusion import BlockFusion, follow_parents
from .conv_stem import ConvStem
from .learned_positions import LearnedPositions
from .rgbs import check_rgbs, split_rgbs
from .segment_kmeans import SegmentKMeans
from .batch_norm import TokenBatchNorm
from .transformer import TransformerBlock
from .vit_init import init_mocov3_, init_timm_vit_

__all__ = [
    'BatchNormDecoderLayer', 'BatchNormEncoderLayer', 'BlockFusion',
    'ConvStem', 'LearnedPositions', 'MaskedSelfAttention',
    'SegmentKMeans', 'TokenBatchNorm', 'TransformerBlock', 'check_rgbs',
    'follow_parents', 'init_mocov3_', 'init_timm_vit_',
    'keep_one_key', 'split_rgbs'
]
