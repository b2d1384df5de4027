"""What CAST hands to heads that work on segments."""

from typing import NamedTuple, Optional

from torch import Tensor


class SegmentTokens(NamedTuple):
    """Fused tokens of a batch of images and where their segments lie.

    Legend: B images, N segments, C channels, H x W pixels.
    """

    cls_token: Tensor
    """(B, C) float: fused class token."""

    tokens: Tensor
    """(B, N, C) float: fused token of every segment of level 0."""

    labels: Tensor
    """(B, H, W) int64: row of ``tokens`` of every pixel, -1 = none."""

    empty: Optional[Tensor] = None
    """(B, N) bool: tokens that are masked out; None = all take part."""
