"""Building blocks of the models."""

from .attention import MaskedSelfAttention, keep_one_key
from .block_fusion import BlockFusion, follow_parents
from .conv_stem import ConvStem
from .rgbs import check_rgbs, split_rgbs
from .segment_kmeans import SegmentKMeans
from .transformer_block import TransformerBlock
from .vit_init import init_mocov3_, init_timm_vit_

__all__ = [
    'BlockFusion', 'ConvStem', 'MaskedSelfAttention', 'SegmentKMeans',
    'TransformerBlock', 'check_rgbs', 'follow_parents', 'init_mocov3_',
    'init_timm_vit_', 'keep_one_key', 'split_rgbs'
]
