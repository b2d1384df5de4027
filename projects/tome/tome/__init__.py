"""Token merging (ToMe) in place of CAST's graph pooling."""

from .backbone import SuperpixelToMe
from .merging_block import MergingBlock, ProportionalAttention
from .token_merging import match_tokens, merge_tokens

__all__ = [
    'MergingBlock', 'ProportionalAttention', 'SuperpixelToMe', 'match_tokens',
    'merge_tokens'
]
