"""Contrast of pixels with the segments of a whole batch.

SegSort (Hwang et al., ICCV 2019) and HSG (Ke et al., CVPR 2022, Eq. 1): with
s_ij = exp(kappa v_i . p_j), the loss of pixel i is -log(pos / (pos + neg)).
Positives are the prototypes with its label except that of its own segment,
which is the positive only if there is no other; negatives are those with
another label.

The P x N similarities are never all there. They are computed in blocks of
rows, of which log-sum-exps are kept, and computed again for the gradients:
memory grows with P + N. The own segment is left out of the sums, not
subtracted from them: the difference of two large numbers would lose a small
positive in float32 (which the authors' code does). Positives are looked for
only among the prototypes that share a label with some pixel of the block: few,
where pixels of an image follow each other.

Legend: P pixels, N prototypes, D channels, L sets of labels, kappa the
concentration.
"""

from typing import Any, Iterator, Optional, Tuple, Union

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .relabel import joint_labels

#: Similarities of a block in float32: 1 MiB, which caches of CPUs hold, or
#: 64 MiB, which keep a GPU busy.
CPU_BLOCK, GPU_BLOCK = 2**18, 2**24


def pixel_segment_contrast(pixels: Tensor,
                           segments: Tensor,
                           prototypes: Tensor,
                           labels: Tensor,
                           concentration: float = 16.,
                           num_pixels: Union[float, Tensor, None] = None,
                           block_size: Optional[int] = None) -> Tensor:
    """Mean contrast of pixels with all prototypes, for one or more labels.

    Several sets of labels share the similarities, most of the cost.

    Args:
        pixels (Tensor): (P, D) float, of unit length. Half precision is taken
            to float32.
        segments (Tensor): (P,) int64 in [0, N - 1], own segment of each
            pixel, whose label is the pixel's.
        prototypes (Tensor): (N, D) float, of unit length.
        labels (Tensor): (N,) int64, label of each prototype, of any numbers;
            or (L, N), several sets of them.
        concentration (float): kappa. Defaults to 16.
        num_pixels (float | Tensor, optional): What the sum over pixels is
            divided by. Defaults to None: P, or 1 where there is no pixel.
        block_size (int, optional): Similarities that are in memory at once
            (one row of them always is). Defaults to None: 2**18 on a CPU,
            2**24 elsewhere.

    Returns:
        Tensor: Loss, a scalar, or (L,) of them, at least 0; zero where there
        is no pixel or all labels are the same. Gradients flow to ``pixels``
        and ``prototypes``, once.

    Raises:
        TypeError: If ``segments`` or ``labels`` is not int64.
        ValueError: If shapes do not fit, or a segment is N or above (looked
            at on the CPU only).

    Example:
        >>> pixels = torch.tensor([[1., 0.]])
        >>> prototypes = torch.tensor([[1., 0.], [.6, .8], [0., 1.]])
        >>> pixel_segment_contrast(pixels, torch.tensor([0]), prototypes,
        ...                        torch.tensor([4, 4, 2]), concentration=1.)
        tensor(0.4375)
    """
    _check(pixels, segments, prototypes, labels)
    dtype = torch.promote_types(pixels.dtype, prototypes.dtype)
    dtype = torch.promote_types(dtype, torch.float32)
    if num_pixels is None:
        num_pixels = max(len(pixels), 1)
    if block_size is None:
        block_size = CPU_BLOCK if pixels.device.type == 'cpu' else GPU_BLOCK
    sets = labels if labels.dim() == 2 else labels[None]
    # Below N, which a table of labels needs.
    ranks = torch.empty_like(sets)
    for rank, names in zip(ranks, sets):
        rank.copy_(joint_labels(names)[0])
    with torch.autocast(pixels.device.type, enabled=False):
        sums = _Contrast.apply(
            pixels.to(dtype), prototypes.to(dtype), segments, ranks,
            concentration, block_size)
    return (sums / num_pixels).view(labels.shape[:-1])


class _Contrast(torch.autograd.Function):
    """(L,) sums over the pixels, with gradients by a second computation."""

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, prototypes: Tensor, own: Tensor,
                labels: Tensor, concentration: float,
                block_size: int) -> Tensor:
        others = pixels.new_empty(len(pixels))
        positives = pixels.new_empty(len(labels), len(pixels))
        alone = torch.empty_like(positives, dtype=torch.bool)
        sums = pixels.new_zeros(len(labels))
        ctx.settings = (concentration, block_size)
        for rows, similarity, own_similarity in _blocks(
                pixels, prototypes, own, *ctx.settings):
            others[rows] = similarity.logsumexp(dim=1)
            for level, names in enumerate(labels):
                columns, same = _same_label(names, own[rows])
                positive = torch.where(same, similarity[:, columns],
                                       -torch.inf).logsumexp(dim=1)
                only = positive == -torch.inf
                positive = torch.where(only, own_similarity, positive)
                total = _total(others[rows], own_similarity, only)
                # Rounding alone could make it negative.
                sums[level] += (total - positive).clamp_(min=0).sum()
                positives[level, rows], alone[level, rows] = positive, only
        ctx.save_for_backward(pixels, prototypes, own, labels, others,
                              positives, alone)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        (pixels, prototypes, own, labels, others, positives,
         alone) = ctx.saved_tensors
        grad_pixels = torch.zeros_like(pixels)
        grad_prototypes = torch.zeros_like(prototypes)
        # Autocast is that of whoever calls `backward`.
        with torch.autocast(pixels.device.type, enabled=False):
            for rows, similarity, own_similarity in _blocks(
                    pixels, prototypes, own, *ctx.settings):
                slope = _slope(similarity, own_similarity, own[rows], labels,
                               others[rows], positives[:, rows],
                               alone[:, rows], grad)
                slope.mul_(ctx.settings[0])
                grad_pixels[rows] = slope @ prototypes
                grad_prototypes.addmm_(slope.t(), pixels[rows])
        return grad_pixels, grad_prototypes, None, None, None, None


def _slope(similarity: Tensor, own_similarity: Tensor, own: Tensor,
           labels: Tensor, others: Tensor, positives: Tensor, alone: Tensor,
           grad: Tensor) -> Tensor:
    """Gradients of the sums by the similarities of a block, (r, N)."""
    # Of log(pos + neg): the softmax over all but the own segment, times the
    # share of the sum that these have where the own one is the positive.
    rest = torch.where(others == -torch.inf, own_similarity, others)
    total = _total(others, own_similarity, alone)
    share = grad @ (rest - total).exp()
    slope = (similarity - rest[:, None]).exp_().mul_(share[:, None])
    for level, names in enumerate(labels):
        # Of log(pos): the softmax over the positives; the own segment, left
        # out as exp(-inf), follows below where it is the only one.
        columns, same = _same_label(names, own)
        positive = (similarity[:, columns] - positives[level, :, None]).exp_()
        positive = torch.where(same, positive, 0).mul_(grad[level])
        slope.index_add_(1, columns, positive, alpha=-1)
    at_own = ((own_similarity - total).exp() - 1).masked_fill(~alone, 0)
    return slope.scatter_(1, own[:, None], (grad @ at_own)[:, None])


def _blocks(pixels: Tensor, prototypes: Tensor, own: Tensor,
            concentration: float,
            block_size: int) -> Iterator[Tuple[slice, Tensor, Tensor]]:
    """Rows, their similarities without the own ones, and those, (r,)."""
    step = max(1, block_size // max(len(prototypes), 1))
    for start in range(0, len(pixels), step):
        rows = slice(start, start + step)
        similarity = (concentration * pixels[rows]) @ prototypes.t()
        column = own[rows, None]
        own_similarity = similarity.gather(1, column).squeeze(1)
        yield rows, similarity.scatter_(1, column,
                                        -torch.inf), own_similarity


def _same_label(names: Tensor, own: Tensor) -> Tuple[Tensor, Tensor]:
    """Prototypes with the label of some row, (n,), and of which, (r, n)."""
    wanted = torch.zeros_like(names, dtype=torch.bool)
    wanted[names[own]] = True
    columns = wanted[names].nonzero().squeeze(1)
    return columns, names[columns] == names[own, None]


def _total(others: Tensor, own: Tensor, alone: Tensor) -> Tensor:
    """log(pos + neg); the own segment is in it where nothing else is."""
    return torch.where(alone, torch.logaddexp(others, own), others)


def _check(pixels: Tensor, segments: Tensor, prototypes: Tensor,
           labels: Tensor) -> None:
    for name, values in (('segments', segments), ('labels', labels)):
        if values.dtype != torch.int64:
            raise TypeError(f'`{name}` must be int64, got {values.dtype}')
    if (pixels.dim() != 2 or prototypes.dim() != 2
            or pixels.size(1) != prototypes.size(1)):
        raise ValueError(
            '`pixels` and `prototypes` must have shapes (P, D) and (N, D), '
            f'got {tuple(pixels.shape)} and {tuple(prototypes.shape)}')
    if segments.shape != pixels.shape[:1]:
        raise ValueError(f'`segments` must have shape ({len(pixels)},), the '
                         f'own one of each pixel, got {tuple(segments.shape)}')
    if labels.dim() not in (1, 2) or labels.size(-1) != len(prototypes):
        raise ValueError(
            f'`labels` must have shape ({len(prototypes)},) or (L, '
            f'{len(prototypes)}), one for each prototype, got '
            f'{tuple(labels.shape)}')
    if segments.device.type == 'cpu' and len(segments):
        smallest, largest = (int(end) for end in segments.aminmax())
        if smallest < 0 or largest >= len(prototypes):
            raise ValueError(
                f'`segments` must lie in [0, {len(prototypes) - 1}], a '
                f'prototype for each pixel, got {smallest} to {largest}')
