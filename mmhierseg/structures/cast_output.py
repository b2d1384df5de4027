"""Everything that one pass of CAST through an image computes."""

from typing import List, NamedTuple, Optional

from torch import Tensor

from .segment_hierarchy import SegmentHierarchy
from .segment_tokens import SegmentTokens


class CASTOutput(NamedTuple):
    """Tokens, groupings and hierarchy of a batch of images.

    Lists run over the four stages l = 0..3. Legend: B images, N_l segments
    that enter stage l, K_l = N_{l+1} clusters after it, C channels.
    """

    cls_token: Tensor
    """(B, C): the class token that ``forward`` returns or fuses from."""

    tokens: List[Tensor]
    """(B, N_l, C): segment tokens after the blocks, before pooling."""

    logits: List[Tensor]
    """(B, N_l, K_l): 5 cos of tokens and centroids, before the softmax over
    clusters. Where a cluster is empty: a large negative number."""

    sampled: List[Tensor]
    """(B, K_l) int64: token that each centroid was sampled from; -1 = the
    cluster is empty, there were fewer tokens than clusters."""

    centroids: List[Tensor]
    """(B, K_l, C): tokens after pooling; zero where the cluster is empty."""

    empty: List[Tensor]
    """(B, N_l) bool: empty tokens, before pooling."""

    hierarchy: SegmentHierarchy
    """Superpixels and the segments after each of the four poolings."""

    segments: Optional[SegmentTokens] = None
    """What ``forward`` returns for ``out_type='segments'``, else None."""
