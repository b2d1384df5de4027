"""How good a soft grouping of the nodes of a graph is.

DMoN (Tsitsulin et al., "Graph Clustering with Graph Neural Networks", 2020)
as HSG (Ke et al., CVPR 2022, Sec. 3) uses it on the segments of an image: the
modularity of the grouping, and a penalty on everything being in one group.

Differences from DMoN that the authors' code has: m2 = 2 sum(d), twice the sum
of all edges, though edges are not made symmetric; and the collapse term has
no "- 1". Quirk: its n counts padding.

Legend: B images, L nodes (padded), K groups, S (B, L, K) assignments with
nodes in rows (the paper has the transpose), A (B, L, L) edges, d their row
sums.
"""

from typing import Optional

import torch
from torch import Tensor


def modularity_loss(assignment: Tensor,
                    adjacency: Tensor,
                    padding: Optional[Tensor] = None) -> Tensor:
    """1 - modularity of a soft grouping, image by image.

    1 - tr(S'AS - S'd d'S / m2) / m2 with m2 = 2 sum(d).

    Args:
        assignment (Tensor): (B, L, K) float in [0, 1].
        adjacency (Tensor): (B, L, L) float, at least 0.
        padding (Tensor, optional): (B, L) bool, nodes that are not there,
            whose assignments count as zero. Defaults to None: all are.

    Returns:
        Tensor: (B,); 1 for a graph without edges.

    Raises:
        ValueError: If shapes do not fit.

    Example:
        >>> pair = torch.tensor([[[0., 1.], [1., 0.]]])
        >>> modularity_loss(torch.tensor([[[1., 0.], [1., 0.]]]), pair)
        tensor([0.7500])
        >>> modularity_loss(torch.tensor([[[1., 0.], [0., 1.]]]), pair)
        tensor([1.1250])
    """
    assignment = _masked(assignment, padding)
    if adjacency.shape != (*assignment.shape[:2], assignment.size(1)):
        raise ValueError(
            f'`adjacency` must have shape (B, L, L), B and L those of '
            f'`assignment`, {tuple(assignment.shape[:2])}, got '
            f'{tuple(adjacency.shape)}')
    with torch.autocast(assignment.device.type, enabled=False):
        adjacency = adjacency.to(assignment.dtype)
        degree = adjacency.sum(dim=2)
        m2 = 2 * degree.sum(dim=1)
        # Without edges both sums are zero, whatever they are divided by.
        divisor = torch.where(m2 > 0, m2, 1)
        # Groups in rows: CPUs take the products with the matrix, and those
        # for the gradients, up to 6 times as fast as with nodes in rows.
        rows = assignment.transpose(1, 2)
        within = (rows * (rows @ adjacency.transpose(1, 2))).sum(dim=(1, 2))
        expected = (rows * degree[:, None]).sum(dim=2).square().sum(dim=1)
        return 1 - (within - expected / divisor) / divisor


def collapse_loss(assignment: Tensor,
                  padding: Optional[Tensor] = None) -> Tensor:
    """Norm of the sizes of the groups, image by image.

    ||sum_i S_i||_2 sqrt(K) / n: 1 where all groups are of the same size, and
    sqrt(K) where one has everything. Quirk: n counts padding, so that both
    are lower for shorter sequences.

    Args:
        assignment (Tensor): (B, L, K) float in [0, 1].
        padding (Tensor, optional): (B, L) bool, nodes that are not there,
            whose assignments count as zero. Defaults to None: all are.

    Returns:
        Tensor: (B,); 0 for an image without nodes.

    Raises:
        ValueError: If shapes do not fit.

    Example:
        >>> collapse_loss(torch.tensor([[[1., 0.], [0., 1.]]]))
        tensor([1.0000])
        >>> collapse_loss(torch.tensor([[[1., 0.], [1., 0.]]]))
        tensor([1.4142])
    """
    assignment = _masked(assignment, padding)
    with torch.autocast(assignment.device.type, enabled=False):
        sizes = assignment.sum(dim=1)
        # torch's gradient of the norm of zero is zero, not NaN.
        norm = torch.linalg.vector_norm(sizes, dim=1)
        return norm * assignment.size(2)**0.5 / assignment.size(1)


def _masked(assignment: Tensor, padding: Optional[Tensor]) -> Tensor:
    """Assignments in at least float32, zero where there is no node."""
    if assignment.dim() != 3 or 0 in assignment.shape[1:]:
        raise ValueError(
            '`assignment` must have shape (B, L, K), L and K at least 1, got '
            f'{tuple(assignment.shape)}')
    assignment = assignment.to(
        torch.promote_types(assignment.dtype, torch.float32))
    if padding is None:
        return assignment
    if padding.shape != assignment.shape[:2]:
        raise ValueError(
            f'`padding` must have shape {tuple(assignment.shape[:2])}, got '
            f'{tuple(padding.shape)}')
    return assignment.masked_fill(padding[..., None], 0)
