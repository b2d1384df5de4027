"""Graph of the most similar segments of each image.

HSG (Ke et al., CVPR 2022, Sec. 3): an edge leads from a segment to its k
nearest ones, within each view of the image or among all. It is not made
symmetric.

Legend: B images, L segments (padded), C channels.
"""

from typing import Optional

import torch
from torch import Tensor

from mmhierseg.ops._numba import use_compiled
from mmhierseg.ops._numba.nearest_edges import mark_nearest
from mmhierseg.ops._numba.products import multiply

from .checks import check_tokens
from .label_maps import compact_labels

#: Factor of the similarity in the weight of an edge, exp(5 x . x'). Weights
#: become 1 in the end, and exp keeps order: it decides nothing but ties.
SCALE = 5.
#: Pairs of segments that a CPU looks at together, 2 MiB of weights in float32.
_EDGES = 2**19


@torch.no_grad()
def knn_adjacency(features: Tensor,
                  k: int,
                  padding: Optional[Tensor] = None,
                  views: Optional[Tensor] = None) -> Tensor:
    """Adjacency matrices of 0 and 1, for all images at once.

    Args:
        features (Tensor): (B, L, C) float, of unit length.
        k (int): Edges of a segment within each view, or in all, at least 1.
            Where several are as similar as the k-th, all are kept; where
            there are fewer other segments, there are fewer edges.
        padding (Tensor, optional): (B, L) bool, True where there is no
            segment. Defaults to None: there is one everywhere.
        views (Tensor, optional): (B, L) int64, view of each segment. Defaults
            to None: k edges in all.

    Returns:
        Tensor: (B, L, L), float32 or wider, row i the edges from segment i;
        none from, or to, padding. A segment has no edge to itself unless it
        is the only one of its image.

    Raises:
        TypeError: If ``padding`` is not bool.
        ValueError: If shapes do not fit or ``k`` is below 1.

    Example:
        >>> features = torch.tensor([[[1., 0.], [.8, .6], [0., 1.]]])
        >>> knn_adjacency(features, 1)
        tensor([[[0., 1., 0.],
                 [1., 0., 0.],
                 [0., 1., 0.]]])
    """
    check_tokens('features', features, padding)
    if k < 1:
        raise ValueError(f'`k` must be at least 1, got {k}')
    if padding is None:
        padding = features.new_zeros(features.shape[:2], dtype=torch.bool)
    if views is None:
        views = torch.zeros_like(padding, dtype=torch.int64)
    if views.shape != padding.shape:
        raise ValueError(f'`views` must have shape {tuple(padding.shape)}, '
                         f'got {tuple(views.shape)}')
    views = views.masked_fill(padding, -1)
    batch, length = padding.shape
    adjacency = features.new_zeros(
        batch,
        length,
        length,
        dtype=torch.promote_types(features.dtype, torch.float32))
    step = max(batch, 1)
    if features.device.type == 'cpu':
        step = max(_EDGES // length**2, torch.get_num_threads())
    for start in range(0, batch, step):
        part = slice(start, start + step)
        _mark_edges(features[part], k, views[part], adjacency[part])
    return adjacency


def _mark_edges(features: Tensor, k: int, views: Tensor,
                adjacency: Tensor) -> None:
    """Set the edges of some of the images; ``views`` is -1 for padding."""
    features = features.to(adjacency.dtype)
    if use_compiled(features):
        mark_nearest(_weights(features), views, k, adjacency)
        return
    padding = views < 0
    weight = _weights(features.masked_fill(padding[..., None], 0))
    weight.masked_fill_(padding[:, None] | padding[..., None], 0)
    several = (~padding).sum(dim=1) > 1
    itself = torch.eye(
        padding.size(1), dtype=torch.bool, device=padding.device)
    weight.masked_fill_(itself & several[:, None, None], 0)
    least = _kth_largest(weight, k, views)
    adjacency.copy_((weight >= least) & (weight > 0))


def _weights(features: Tensor) -> Tensor:
    with torch.autocast(features.device.type, enabled=False):
        if features.device.type != 'cpu':
            return (SCALE * features @ features.transpose(1, 2)).exp_()
        # One image after the other: no slower, and faster by oneDNN.
        products = [multiply(SCALE * rows, rows) for rows in features]
        return torch.stack(products).exp_()


def _kth_largest(weight: Tensor, k: int, views: Tensor) -> Tensor:
    """(B, L, L): k-th weight of the row within the view of the column."""
    views, counts = compact_labels(views)
    # Columns view by view, (W, M) of them, so that one `topk` serves all.
    num_views = max(int(counts.max()), 1)
    belongs = views[..., None] == torch.arange(
        num_views, device=views.device)
    sizes = belongs.cumsum(dim=1)
    longest = max(int(sizes[:, -1].max()), 1)
    rank = sizes.gather(2, views.clamp(min=0)[..., None]).squeeze(2) - 1
    # The extra column takes padding.
    column = torch.where(views < 0, num_views * longest,
                         views * longest + rank)
    grouped = weight.new_zeros(*weight.shape[:2], num_views * longest + 1)
    grouped.scatter_(2, column[:, None].expand_as(weight), weight)
    grouped = grouped[..., :-1].unflatten(2, (num_views, longest))
    least = grouped.topk(min(k, longest), dim=3).values[..., -1]
    return least.gather(
        2, views.clamp(min=0)[:, None].expand_as(weight))
