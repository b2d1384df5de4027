"""Outputs of CAST: everything of one forward pass, and tokens for heads.

Legend: B images, N segments, C channels, H x W pixels; N_l segments enter
stage l = 0..3, which groups them into K_l = N_{l+1} clusters.
"""

from typing import NamedTuple

from torch import Tensor

from .segment_hierarchy import SegmentHierarchy


class SegmentTokens(NamedTuple):
    """Fused tokens of a batch of images and the map of their segments."""

    cls_token: Tensor
    """(B, C) float: fused class token."""
    tokens: Tensor
    """(B, N, C) float: fused token of every segment of level 0."""
    labels: Tensor
    """(B, H, W) int64: row of ``tokens`` of every pixel, -1 = none."""
    empty: Tensor | None = None
    """(B, N) bool: tokens that are masked out; None = no token."""


class CASTOutput(NamedTuple):
    """Tokens, groupings and hierarchy of a batch; lists run over stages."""

    cls_token: Tensor
    """(B, C): the class token that ``forward`` returns or fuses from."""
    tokens: list[Tensor]
    """(B, N_l, C): segment tokens after the blocks, before pooling."""
    logits: list[Tensor]
    """(B, N_l, K_l): 5 cos of tokens and centroids, before the softmax over
    clusters. Where a cluster is empty: a large negative number."""
    sampled: list[Tensor]
    """(B, K_l) int64: token that each centroid was sampled from; -1 = empty
    cluster, because there were fewer tokens than clusters."""
    centroids: list[Tensor]
    """(B, K_l, C): tokens after pooling; zero where the cluster is empty."""
    empty: list[Tensor]
    """(B, N_l) bool: empty tokens, before pooling."""
    hierarchy: SegmentHierarchy
    """Superpixels and the segments after each of the four poolings."""
    segments: SegmentTokens | None = None
    """Output of ``forward`` for ``out_type='segments'``, else None."""
