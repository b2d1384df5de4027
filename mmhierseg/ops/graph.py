"""Graph of the most similar segments of an image, and losses of a grouping.

HSG (Ke et al., CVPR 2022, Sec. 3): an edge leads from a segment to its k
nearest ones, within each view of the image or among all; it is not made
symmetric. A soft grouping is judged by its modularity and by a penalty on
collapse into one group (DMoN, Tsitsulin et al., "Graph Clustering with Graph
Neural Networks", 2020). As in the authors' code and unlike DMoN, m2 is twice
the sum of all edges, though edges are not symmetric, and the collapse term has
no "- 1". Quirk: its n counts padding.

Legend: B images, L segments (nodes, padded), C channels, K groups, S (B, L, K)
assignments with nodes in rows (the paper has the transpose), A (B, L, L)
edges, d their row sums.
"""

import torch
from torch import Tensor

from ._numba import use_compiled
from ._numba.kernels import mark_nearest
from .checks import check_at_least_1, check_shape, check_tokens, wide
from .label_maps import compact_labels

#: Factor of the similarity in the weight of an edge, exp(5 x . x'). Weights
#: become 1 in the end, and exp keeps order: it decides nothing but ties.
SCALE = 5.
#: Pairs of segments that a CPU looks at together, 2 MiB of weights in float32.
_EDGES = 2**19


@torch.no_grad()
def knn_adjacency(features: Tensor,
                  k: int,
                  padding: Tensor | None = None,
                  views: Tensor | None = None) -> Tensor:
    """Adjacency matrices of 0 and 1, for all images at once.

    Args:
        features (Tensor): (B, L, C) float, of unit length.
        k (int): Edges of a segment within each view, at least 1. Ties with the
            k-th are all kept; with fewer other segments there are fewer edges.
        padding (Tensor, optional): (B, L) bool, True where there is no
            segment.
        views (Tensor, optional): (B, L) int64, view of each segment; by
            default all are of one.

    Returns:
        Tensor: (B, L, L), float32 or wider, row i the edges from segment i;
        none from, or to, padding. Only the single segment of an image has an
        edge to itself.
    """
    check_tokens(padding, 'padding', features=features)
    check_at_least_1(k=k)
    batch, length, _ = features.shape
    if padding is None:
        padding = features.new_zeros((batch, length), dtype=torch.bool)
    if views is None:
        views = torch.zeros_like(padding, dtype=torch.int64)
    check_shape((batch, length), views=views)
    views, _ = compact_labels(views.masked_fill(padding, -1))
    features = wide(features)
    adjacency = features.new_zeros(batch, length, length)
    step = max(batch, 1)
    if features.device.type == 'cpu':
        step = max(_EDGES // length**2, torch.get_num_threads())
    mark = mark_nearest if use_compiled(features) else _mark_nearest
    for start in range(0, batch, step):
        some = slice(start, start + step)
        rows = features[some]
        with torch.autocast(features.device.type, enabled=False):
            weight = (SCALE * rows @ rows.transpose(1, 2)).exp_()
        mark(weight, views[some], k, adjacency[some])
    return adjacency


def modularity_loss(assignment: Tensor,
                    adjacency: Tensor,
                    padding: Tensor | None = None) -> Tensor:
    """1 - modularity of a soft grouping, image by image.

    1 - tr(S'AS - S'd d'S / m2) / m2 with m2 = 2 sum(d).

    Args:
        assignment (Tensor): (B, L, K) float in [0, 1].
        adjacency (Tensor): (B, L, L) float, at least 0.
        padding (Tensor, optional): (B, L) bool, nodes to leave out.

    Returns:
        Tensor: (B,); 1 for a graph without edges.
    """
    assignment = _masked(assignment, padding)
    check_shape((*assignment.shape[:2], assignment.size(1)),
                adjacency=adjacency)
    with torch.autocast(assignment.device.type, enabled=False):
        adjacency = adjacency.to(assignment.dtype)
        degree = adjacency.sum(dim=2)
        m2 = 2 * degree.sum(dim=1)
        # Without edges both sums are zero, whatever they are divided by.
        divisor = torch.where(m2 > 0, m2, 1)
        # Groups in rows: CPUs multiply them, in both passes, up to 6 times as
        # fast as with nodes in rows.
        rows = assignment.transpose(1, 2)
        within = (rows * (rows @ adjacency.transpose(1, 2))).sum(dim=(1, 2))
        expected = (rows * degree[:, None]).sum(dim=2).square().sum(dim=1)
        return 1 - (within - expected / divisor) / divisor


def collapse_loss(assignment: Tensor, padding: Tensor | None = None) -> Tensor:
    """Norm of the sizes of the groups, image by image.

    ||sum_i S_i||_2 sqrt(K) / n: 1 where all groups are of the same size, and
    sqrt(K) where one has everything. Quirk: n counts padding, so that both are
    lower for shorter sequences.

    Args:
        assignment (Tensor): (B, L, K) float in [0, 1].
        padding (Tensor, optional): (B, L) bool, nodes to leave out.

    Returns:
        Tensor: (B,); 0 for an image without nodes.
    """
    assignment = _masked(assignment, padding)
    with torch.autocast(assignment.device.type, enabled=False):
        # torch's gradient of the norm of zero is zero, not NaN.
        norm = torch.linalg.vector_norm(assignment.sum(dim=1), dim=1)
        return norm * assignment.size(2)**0.5 / assignment.size(1)


def _mark_nearest(weight: Tensor, views: Tensor, k: int,
                  adjacency: Tensor) -> None:
    padding = views < 0
    weight.masked_fill_(padding[:, None] | padding[..., None], 0)
    several = (~padding).sum(dim=1) > 1
    weight.diagonal(dim1=1, dim2=2).masked_fill_(several[:, None], 0)
    for view in range(int(views.max()) + 1):
        inside = weight.masked_fill((views != view)[:, None], 0)
        least = inside.topk(min(k, views.size(1)), dim=2).values[..., -1:]
        adjacency += (inside >= least) & (inside > 0)


def _masked(assignment: Tensor, padding: Tensor | None) -> Tensor:
    check_tokens(padding, 'padding', assignment=assignment)
    assignment = wide(assignment)
    if padding is None:
        return assignment
    return assignment.masked_fill(padding[..., None], 0)
