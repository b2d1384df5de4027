"""Farthest point sampling of the centroids of a graph pooling.

CAST, Sec. 3.2: starting from the mean token, which is no centroid itself, the
sampler picks K times the token farthest from everything picked so far.

Distances are taken in float64: float32 picks others among near duplicates. In
torch they come from one Gram matrix of the centred tokens; the numba kernel
takes the distances themselves, which is cheaper on a CPU, and leaves out those
that cannot be the smallest so far, as a few directions tell in float32.

Legend: B images, N tokens, C channels, K picks.
"""

import torch
from torch import Tensor

from ._numba import use_compiled
from ._numba.kernels import sample_farthest_points
from .checks import check_at_least_1, check_tokens, is_exporting
from .grouping import masked_mean

# Squared distances are equal that differ by less than this times the largest
# to the mean. Rounding, which differs between devices and ways to compute
# them, is a thousandth of it: two points are always equally far from their
# mean, but hardly ever in floating point.
_TOLERANCE = 1e-12


@torch.no_grad()
def farthest_point_sampling(points: Tensor,
                            num_samples: int,
                            empty: Tensor | None = None,
                            pick_empty: bool = False) -> Tensor:
    """Pick points that are far from each other, one image at a time.

    No point is picked twice; ties go to the first.

    Args:
        points (Tensor): (B, N, C) float of any precision.
        num_samples (int): K, at least 1.
        empty (Tensor, optional): (B, N) bool, points to leave out of the mean.
        pick_empty (bool): Quirk: empty points, put at the mean, may be picked
            once everything else is. The authors' sampler does so, and
            published checkpoints need it.

    Returns:
        Tensor: (B, K) int64 in [0, N - 1]; -1 where an image has no point
        left. With ``pick_empty`` the first point is repeated instead.

    Example:
        >>> points = torch.tensor([[[0.], [1.], [9.], [4.]]])
        >>> farthest_point_sampling(points, 3)
        tensor([[2, 0, 1]])
    """
    check_tokens(empty, points=points)
    check_at_least_1(num_samples=num_samples)
    # An exported graph runs where this package is not installed.
    as_one = torch.compiler.is_compiling() and not is_exporting()
    pick = _as_one_operator if as_one else _pick
    return pick(points.detach(), num_samples, empty, pick_empty)


def _pick(points: Tensor, num_samples: int, empty: Tensor | None,
          pick_empty: bool) -> Tensor:
    with torch.autocast(points.device.type, enabled=False):
        if use_compiled(points):
            return sample_farthest_points(points, num_samples, empty,
                                          pick_empty, _TOLERANCE)
        distance, between = _squared_distances(points, empty)
    tolerance = _TOLERANCE * distance.amax(dim=1, keepdim=True)
    if empty is not None and not pick_empty:
        distance = distance.masked_fill(empty, -torch.inf)
    if is_exporting():
        # One loop: a graph of hundreds of steps takes minutes to write.
        steps = torch.zeros(num_samples, dtype=torch.bool,
                            device=points.device)
        _, picks, farthests = torch.ops.higher_order.scan(
            _pick_next, [distance], [steps], (between, tolerance))
        picks, farthests = (x.squeeze(2).t() for x in (picks, farthests))
    else:
        found = []
        for _ in range(num_samples):
            distance, *step = _pick_next(distance, None, between, tolerance)
            found.append(step)
        picks, farthests = (torch.cat(x, dim=1) for x in zip(*found))
    if pick_empty:
        return picks
    return picks.masked_fill(farthests < 0, -1)


def _pick_next(distance: Tensor, _: Tensor | None, between: Tensor,
               tolerance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, N) distances to all picks, (B, 1) this pick and how far it was."""
    order = torch.arange(distance.size(1), device=distance.device)
    # Two extrema find the first of equally far points; torch's own search
    # for an index promises no order, and is many times slower on CPUs.
    farthest = distance.amax(dim=1, keepdim=True)
    threshold = torch.minimum(farthest, (farthest - tolerance).clamp(0))
    index = torch.where(distance >= threshold, order, order[-1])
    index = index.amin(dim=1, keepdim=True)
    row = between.gather(1, index[..., None].expand(-1, 1, distance.size(1)))
    return torch.minimum(distance, row.squeeze(1)), index, farthest


@torch.library.custom_op('mmhierseg::farthest_points', mutates_args=())
@torch.no_grad()
def _as_one_operator(points: Tensor, num_samples: int, empty: Tensor | None,
                     pick_empty: bool) -> Tensor:
    """For graphs, which would hold hundreds of steps otherwise."""
    return _pick(points, num_samples, empty, pick_empty)


@_as_one_operator.register_fake
def _(points: Tensor, num_samples: int, empty: Tensor | None,
      pick_empty: bool) -> Tensor:
    return points.new_empty(points.size(0), num_samples, dtype=torch.int64)


def _squared_distances(points: Tensor,
                       empty: Tensor | None) -> tuple[Tensor, Tensor]:
    """(B, N) to the mean, (B, N, N) between the points, -inf to themselves."""
    points = points.double()
    centred = points - masked_mean(points, empty)[:, None]
    if empty is not None:
        # Empty points lie at the mean, which is the origin now.
        centred = centred.masked_fill(empty[..., None], 0)
    square = centred.square().sum(dim=2, keepdim=True)
    between = torch.baddbmm(
        square + square.transpose(1, 2), centred, centred.transpose(1, 2),
        alpha=-2)
    order = torch.arange(points.size(1), device=points.device)
    between = between.clamp_(min=0).masked_fill_(
        order[:, None] == order, -torch.inf)
    return square.squeeze(2), between
