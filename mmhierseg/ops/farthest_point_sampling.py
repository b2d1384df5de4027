"""Farthest point sampling of the centroids of a graph pooling.

CAST, Sec. 3.2: centroids are a subset of the tokens that covers them. The
sampler starts at the mean token (which is no centroid itself) and picks, K
times, the token farthest from everything picked so far, by Euclidean distance
in C dimensions.

Distances come from one Gram matrix of the centred tokens, in float64: the
steps then cost B x N instead of B x N x C. In float32 the picks among near
duplicates differ from those of the distances themselves.

Legend: B images, N tokens, C channels, K picks.
"""

from typing import Optional

import torch
from torch import Tensor

from .checks import check_tokens
from .masked_mean import masked_mean

# Squared distance of what must not be picked: below every true one.
_NOT_A_CANDIDATE = -1.0


@torch.no_grad()
def farthest_point_sampling(points: Tensor,
                            num_samples: int,
                            empty: Optional[Tensor] = None,
                            pick_empty: bool = False) -> Tensor:
    """Pick points that are far from each other, one image at a time.

    No point is picked twice, and the first of equally far ones is taken.

    Args:
        points (Tensor): (B, N, C) float of any precision.
        num_samples (int): K, at least 1.
        empty (Tensor, optional): (B, N) bool, points without meaning. They
            take no part in the mean. Defaults to None: there are none.
        pick_empty (bool): Whether empty points, put at the mean, may be
            picked (once everything else is). Quirk: the authors' sampler
            does so, which published checkpoints need. Defaults to False.

    Returns:
        Tensor: (B, K) int64 in [0, N - 1]; -1 where an image has no point
        left. With ``pick_empty`` the first point is repeated instead.

    Raises:
        TypeError: If ``empty`` is not bool.
        ValueError: If the shapes are wrong or ``num_samples`` is below 1.

    Example:
        >>> points = torch.tensor([[[0.], [1.], [9.], [4.]]])
        >>> farthest_point_sampling(points, 3)
        tensor([[2, 0, 1]])
    """
    check_tokens('points', points, empty)
    if num_samples < 1:
        raise ValueError(f'`num_samples` must be at least 1, got '
                         f'{num_samples}')
    with torch.autocast(points.device.type, enabled=False):
        gram = _centred_gram(points, empty)
    square = gram.diagonal(dim1=1, dim2=2)
    distance = square.clone()
    if empty is not None and not pick_empty:
        distance.masked_fill_(empty, _NOT_A_CANDIDATE)
    order = torch.arange(points.size(1), device=points.device)
    picks = []
    for _ in range(num_samples):
        # Two minima find the first of equally far points; torch's own search
        # for an index promises no order, and is many times slower on CPUs.
        farthest = distance.amax(dim=1, keepdim=True)
        index = torch.where(distance == farthest, order, order[-1])
        index = index.amin(dim=1, keepdim=True)
        picks.append(index if pick_empty else torch.where(
            farthest < 0, -1, index))
        row = gram.gather(1, index[..., None].expand(-1, 1, gram.size(2)))
        to_pick = square + square.gather(1, index) - 2 * row.squeeze(1)
        distance = torch.minimum(distance, to_pick.clamp(min=0))
        distance.scatter_(1, index, _NOT_A_CANDIDATE)
    return torch.cat(picks, dim=1)


def _centred_gram(points: Tensor, empty: Optional[Tensor]) -> Tensor:
    """Inner products of the points about their mean, (B, N, N) float64."""
    points = points.double()
    centred = points - masked_mean(points, empty)[:, None]
    if empty is not None:
        # Empty points lie at the mean, which is the origin now.
        centred = centred.masked_fill(empty[..., None], 0)
    return centred @ centred.transpose(1, 2)
