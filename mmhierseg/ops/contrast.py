"""Contrast of pixels with the segments of a whole batch, and of centroids.

SegSort (Hwang et al., ICCV 2019) and HSG (Ke et al., CVPR 2022, Eq. 1): with
s_ij = exp(kappa v_i . p_j), the loss of pixel i is -log(pos / (pos + neg)).
Positives are the prototypes with its label except its own segment's, which is
the positive only if there is no other; negatives have another label.

The P x N similarities are computed once, in blocks of rows, with what the
gradients need of them: memory grows with P + N. The own segment is left out of
the sums, not subtracted as in the authors' code, where a small positive would
be lost in float32.

Legend: P pixels, r of a block, N prototypes, n that are positives of a block,
D channels, L sets of labels, kappa the concentration; M of N centroids.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .checks import (
    check_dtype,
    check_range,
    check_shape,
    reads_are_free,
    wide,
)
from .label_maps import joint_labels

#: Similarities of a block in float32: 8 MiB, which caches of CPUs hold, or
#: 64 MiB, which keep a GPU busy.
_CPU_BLOCK, _GPU_BLOCK = 2**21, 2**24
#: Rows of a block on a CPU, at most: enough for products at full speed, and
#: few enough to be of one or two images, whose prototypes are the positives.
_CPU_ROWS = 256


def pixel_segment_contrast(pixels: Tensor,
                           segments: Tensor,
                           prototypes: Tensor,
                           labels: Tensor,
                           concentration: float = 16.,
                           num_pixels: float | Tensor | None = None
                           ) -> Tensor:
    """Mean contrast of pixels with all prototypes, for one or more labels.

    Several sets of labels share the similarities, most of the cost.

    Args:
        pixels (Tensor): (P, D) float, unit length; computed in at least
            float32.
        segments (Tensor): (P,) int64 in [0, N - 1], own segment of each pixel,
            which also gives its label.
        prototypes (Tensor): (N, D) float, unit length.
        labels (Tensor): (N,) or (L, N) int64, arbitrary ids: label of each
            prototype, in one or L sets.
        concentration (float): kappa.
        num_pixels (float | Tensor, optional): Divisor of the sum over pixels;
            by default P, at least 1.

    Returns:
        Tensor: Scalar or (L,), at least 0; zero without pixels or where all
        labels agree. Differentiable once in ``pixels`` and ``prototypes``.
    """
    check_shape((len(prototypes), pixels.size(1)), prototypes=prototypes)
    check_dtype(torch.int64, segments=segments, labels=labels)
    check_shape(pixels.shape[:1], segments=segments)
    check_shape((*labels.shape[:-1][:1], len(prototypes)), labels=labels)
    if reads_are_free(segments):
        check_range(len(prototypes), 0, segments=segments)
    if num_pixels is None:
        num_pixels = max(len(pixels), 1)
    is_cpu = pixels.device.type == 'cpu'
    block = _CPU_BLOCK if is_cpu else _GPU_BLOCK
    step = max(1, block // max(len(prototypes), 1))
    if is_cpu:
        step = min(step, _CPU_ROWS)
    # Below N, which a table of labels needs.
    sets = labels if labels.dim() == 2 else labels[None]
    ranks = torch.stack([joint_labels(names)[0] for names in sets])
    with_grad = torch.is_grad_enabled() and (
        pixels.requires_grad or prototypes.requires_grad)
    with torch.autocast(pixels.device.type, enabled=False):
        sums = _Contrast.apply(
            wide(pixels, prototypes), wide(prototypes, pixels), segments,
            ranks, concentration, step, with_grad)
    return (sums / num_pixels).view(labels.shape[:-1])


def centroid_contrast(centroids: Tensor,
                      all_centroids: Tensor | None = None,
                      first: int = 0,
                      concentration: float = 16.) -> Tensor:
    """Cross-entropy of finding each centroid among all, by cosine.

    HSG, Sec. 3: groups, of one image or of several, should have centroids that
    point in different directions.

    Args:
        centroids (Tensor): (M, D) float, of any length.
        all_centroids (Tensor, optional): (N, D), those of the whole batch, by
            default ``centroids``.
        first (int): Row of ``all_centroids`` at which ``centroids`` begin.
        concentration (float): kappa.

    Returns:
        Tensor: (M,), float32 or wider, at least 0.
    """
    all_centroids = centroids if all_centroids is None else all_centroids
    check_shape((len(all_centroids), centroids.size(1)),
                all_centroids=all_centroids)
    with torch.autocast(centroids.device.type, enabled=False):
        unit = F.normalize(wide(centroids), dim=1)
        every = F.normalize(wide(all_centroids, unit), dim=1)
        logits = concentration * unit @ every.t()
    own = first + torch.arange(len(centroids), device=centroids.device)
    return F.cross_entropy(logits, own, reduction='none')


class _Contrast(torch.autograd.Function):
    """(L,) sums over the pixels.

    The forward pass also computes gradients by the prototypes, (D, N) up to
    the factor of each set: ``slopes[0]`` of log(sum of s over all but the own
    segment); ``slopes[l]``, or None, of pixels that are their only positive.
    """

    @staticmethod
    def forward(ctx, pixels: Tensor, prototypes: Tensor, own: Tensor,
                labels: Tensor, kappa: float, step: int,
                with_grad: bool) -> Tensor:
        positives = pixels.new_empty(len(labels), len(pixels))
        own_share = torch.empty_like(positives)
        alone = torch.empty_like(positives, dtype=torch.bool)
        sums = pixels.new_zeros(len(labels))
        by_pixels = torch.empty_like(pixels)
        slopes = [
            prototypes.new_zeros(prototypes.shape[::-1]), *len(labels) * [None]
        ]
        for rows in _blocks(len(pixels), step):
            similarity = kappa * pixels[rows] @ prototypes.t()
            own_similarity = similarity.gather(1, own[rows, None]).squeeze(1)
            similarity.scatter_(1, own[rows, None], -torch.inf)
            # Exponentials from here on.
            largest, total, scale = _softmax_(similarity)
            positive, only = _log_positives(similarity, largest, labels,
                                            own[rows])
            rare = only.any(dim=0).nonzero().squeeze(1)
            if len(rare):
                positive[:, rare], only[:, rare] = _log_few_positives(
                    kappa * pixels[rows][rare], prototypes, labels,
                    own[rows][rare], own_similarity[rare])
            log_sum = torch.where(
                only, torch.logaddexp(total, own_similarity), total)
            # Rounding alone could make it negative.
            sums += (log_sum - positive).clamp_(min=0).sum(dim=1)
            share = (own_similarity - log_sum).exp().masked_fill(~only, 0)
            positives[:, rows], own_share[:, rows] = positive, share
            alone[:, rows] = only
            if with_grad:
                by_pixels[rows] = similarity @ prototypes * scale[:, None]
                _add_slopes(slopes, pixels[rows] * scale[:, None], similarity,
                            share, only)
        if with_grad:
            ctx.settings = kappa, step
            ctx.save_for_backward(pixels, prototypes, own, labels, positives,
                                  own_share, alone, by_pixels, *slopes)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (pixels, prototypes, own, labels, positives, own_share, alone,
         by_pixels, *slopes) = ctx.saved_tensors
        kappa, step = ctx.settings
        # Autocast is that of whoever calls `backward`.
        with torch.autocast(pixels.device.type, enabled=False):
            common = grad.sum()
            scale = kappa * (common - grad @ own_share)
            grad_pixels = by_pixels * scale[:, None]
            grad_prototypes = torch.zeros_like(prototypes)
            for factor, slope in zip((common, *-grad), slopes):
                if slope is not None:
                    grad_prototypes += (kappa * factor) * slope.t()
            for rows in _blocks(len(pixels), step):
                columns, slope = _slope_of_positives(
                    kappa * pixels[rows], prototypes, own[rows], labels,
                    positives[:, rows], alone[:, rows], own_share[:, rows],
                    grad)
                slope.mul_(kappa)
                grad_pixels[rows].addmm_(slope, prototypes[columns])
                grad_prototypes.index_add_(0, columns,
                                           slope.t() @ pixels[rows])
        return grad_pixels, grad_prototypes, None, None, None, None, None


def _blocks(number: int, step: int) -> list[slice]:
    return [slice(i, i + step) for i in range(0, number, step)]


def _softmax_(similarity: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Turn (r, N) into exponentials; maxima, log sums, factors of rows."""
    largest = similarity.amax(dim=1)
    largest = torch.where(largest == -torch.inf, 0, largest)
    total = similarity.sub_(largest[:, None]).exp_().sum(dim=1)
    return (largest, total.log() + largest,
            torch.where(total > 0, 1 / total, 0))


def _add_slopes(slopes: list[Tensor | None], pixels: Tensor,
                exponentials: Tensor, own_share: Tensor,
                alone: Tensor) -> None:
    # As columns: the products are faster.
    pixels = pixels.t().contiguous()
    slopes[0].addmm_(pixels, exponentials)
    for place, (share, only) in enumerate(zip(own_share, alone), 1):
        # Few, where views overlap.
        index = only.nonzero().squeeze(1)
        if len(index):
            if slopes[place] is None:
                slopes[place] = torch.zeros_like(slopes[0])
            slopes[place].addmm_(pixels[:, index] * share[index],
                                 exponentials[index])


def _log_positives(exponentials: Tensor, largest: Tensor, labels: Tensor,
                   own: Tensor) -> tuple[Tensor, Tensor]:
    """(L, r) log of the sums over positives, and where these are too small."""
    columns = _same_labels(labels, own)
    exponentials = exponentials[:, columns]
    sums = torch.stack([
        torch.where(names[columns] == names[own, None], exponentials,
                    0).sum(dim=1) for names in labels
    ])
    # Terms that matter are not denormal then.
    least = 1e8 * torch.finfo(sums.dtype).tiny
    return sums.log() + largest, sums < least


def _log_few_positives(pixels: Tensor, prototypes: Tensor, labels: Tensor,
                       own: Tensor,
                       own_similarity: Tensor) -> tuple[Tensor, Tensor]:
    """(L, r) exact log of the positives' sums, and where there are none."""
    columns = _same_labels(labels, own)
    similarity = pixels @ prototypes[columns].t()
    similarity.masked_fill_(columns == own[:, None], -torch.inf)
    positives = torch.stack([
        torch.where(names[columns] == names[own, None], similarity,
                    -torch.inf).logsumexp(dim=1) for names in labels
    ])
    alone = positives == -torch.inf
    return torch.where(alone, own_similarity, positives), alone


def _slope_of_positives(pixels: Tensor, prototypes: Tensor, own: Tensor,
                        labels: Tensor, positives: Tensor, alone: Tensor,
                        own_share: Tensor,
                        grad: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) prototypes, and (r, n) gradients by the similarities with them."""
    columns = _same_labels(labels, own)
    similarity = pixels @ prototypes[columns].t()
    is_own = columns == own[:, None]
    # The own segment is a positive only if there is no other.
    at_own = grad @ (own_share - alone.to(grad.dtype))
    slope = torch.where(is_own, at_own[:, None], 0)
    for names, positive, only, weight in zip(labels, positives, alone, grad):
        same = (names[columns] == names[own, None]) & ~is_own
        share = (similarity - positive[:, None]).exp_().mul_(weight)
        slope -= torch.where(same & ~only[:, None], share, 0)
    return columns, slope


def _same_labels(labels: Tensor, own: Tensor) -> Tensor:
    """(n,) prototypes with the label of some row in one of the sets."""
    wanted = torch.zeros_like(labels, dtype=torch.bool)
    wanted.scatter_(1, labels[:, own], True)
    return wanted.gather(1, labels).any(dim=0).nonzero().squeeze(1)


