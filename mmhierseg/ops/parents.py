"""Looking up the parents of segments in a table of each image."""

import torch
from torch import Tensor


def look_up_parents(table: Tensor, segments: Tensor) -> Tensor:
    """Parents of segments.

    Args:
        table (Tensor): (B, N) int64, the parent of each segment.
        segments (Tensor): (B, ...) int64 in [-1, N - 1], of pixels or of
            anything else that has a segment; -1 = none.

    Returns:
        Tensor: (B, ...) int64; -1 where there is no segment, or where the
        segment has no parent.

    Example:
        >>> table = torch.tensor([[5, -1, 7]])
        >>> look_up_parents(table, torch.tensor([[[0, 1], [-1, 2]]]))
        tensor([[[ 5, -1],
                 [-1,  7]]])
    """
    if table.size(1) == 0:
        return torch.full_like(segments, -1)
    flat = segments.flatten(1)
    parents = table.gather(1, flat.clamp(min=0))
    return torch.where(flat < 0, -1, parents).view_as(segments)
