"""Contrast of pixels with the segments of a whole batch.

SegSort (Hwang et al., ICCV 2019) and HSG (Ke et al., CVPR 2022, Eq. 1): with
s_ij = exp(kappa v_i . p_j), the loss of pixel i is -log(pos / (pos + neg)).
Positives are the prototypes with its label except that of its own segment,
which is the positive only if there is no other; negatives are those with
another label.

The P x N similarities are never all there. They are computed in blocks of
rows, and so is what the gradients need of them, in the same pass: memory grows
with P + N, and each similarity is computed once. The own segment is left out
of the sums, not subtracted from them: the difference of two large numbers
would lose a small positive in float32 (which the authors' code does).
Positives are looked for only among the prototypes that share a label with some
pixel of the block: few, where pixels of an image follow each other.

Legend: P pixels, N prototypes, D channels, L sets of labels, kappa the
concentration.
"""

from typing import Any, Iterator, List, Optional, Tuple, Union

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmhierseg.ops._numba.products import add_product_, multiply

from .contrast_positives import (
    slope_of_positives,
    sum_few_positives,
    sum_positives,
)
from .label_maps import joint_labels

#: Similarities of a block in float32: 8 MiB, which caches of CPUs hold, or
#: 64 MiB, which keep a GPU busy.
CPU_BLOCK, GPU_BLOCK = 2**21, 2**24
#: Rows of a block on a CPU, at most: enough for products at full speed, and
#: few enough to be of one or two images, whose prototypes are the positives.
_CPU_ROWS = 256


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
            (one row of them always is). Defaults to None: 2**21 on a CPU,
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
    with_grad = torch.is_grad_enabled() and (
        pixels.requires_grad or prototypes.requires_grad)
    with torch.autocast(pixels.device.type, enabled=False):
        sums = _Contrast.apply(
            pixels.to(dtype), prototypes.to(dtype), segments, ranks,
            concentration, block_size, with_grad)
    return (sums / num_pixels).view(labels.shape[:-1])


class _Contrast(torch.autograd.Function):
    """(L,) sums over the pixels.

    Of the gradient, what takes the similarities with all prototypes is
    computed along with the loss: it is the same for all sets of labels, up to
    factors that are not known before the gradients of their losses are.
    """

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, prototypes: Tensor, own: Tensor,
                labels: Tensor, concentration: float, block_size: int,
                with_grad: bool) -> Tensor:
        sets, number = len(labels), len(pixels)
        positives = pixels.new_empty(sets, number)
        # Share of the own segment in pos + neg.
        own_share = torch.empty_like(positives)
        alone = torch.empty_like(positives, dtype=torch.bool)
        sums = pixels.new_zeros(sets)
        slopes = _Slopes(pixels, prototypes, sets) if with_grad else None
        for rows, similarity, own_similarity in _blocks(
                pixels, prototypes, own, concentration, block_size):
            largest, others, scale = _softmax_(similarity)
            positive, only = sum_positives(similarity, largest, labels,
                                           own[rows])
            rare = only.any(dim=0).nonzero().squeeze(1)
            if len(rare):
                positive[:, rare], only[:, rare] = sum_few_positives(
                    concentration * pixels[rows][rare], prototypes, labels,
                    own[rows][rare], own_similarity[rare])
            total = torch.where(
                only, torch.logaddexp(others, own_similarity), others)
            # Rounding alone could make it negative.
            sums += (total - positive).clamp_(min=0).sum(dim=1)
            share = (own_similarity - total).exp().masked_fill(~only, 0)
            positives[:, rows], own_share[:, rows] = positive, share
            alone[:, rows] = only
            if with_grad:
                slopes.add(rows, similarity, scale, share, only)
        if with_grad:
            ctx.settings = (concentration, block_size)
            ctx.save_for_backward(pixels, prototypes, own, labels, positives,
                                  own_share, alone, slopes.at_pixels,
                                  *slopes.at_prototypes)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        (pixels, prototypes, own, labels, positives, own_share, alone,
         at_pixels, *at_prototypes) = ctx.saved_tensors
        concentration, block_size = ctx.settings
        # Autocast is that of whoever calls `backward`.
        with torch.autocast(pixels.device.type, enabled=False):
            common = grad.sum()
            scale = concentration * (common - grad @ own_share)
            grad_pixels = at_pixels * scale[:, None]
            grad_prototypes = torch.zeros_like(prototypes)
            for factor, slope in zip((common, *-grad), at_prototypes):
                if slope is not None:
                    grad_prototypes += (concentration * factor) * slope.t()
            for rows in _row_blocks(pixels, prototypes, block_size):
                columns, slope = slope_of_positives(
                    concentration * pixels[rows], prototypes, own[rows],
                    labels, positives[:, rows], alone[:, rows],
                    own_share[:, rows], grad)
                slope.mul_(concentration)
                grad_pixels[rows].addmm_(slope, prototypes[columns])
                grad_prototypes.index_add_(0, columns,
                                           slope.t() @ pixels[rows])
        return grad_pixels, grad_prototypes, None, None, None, None, None


class _Slopes:
    """Gradients of log(sum of s over all but the own segment), row by row.

    Attributes:
        at_pixels (Tensor): (P, D), those by the pixels, over kappa.
        at_prototypes (List[Tensor | None]): (D, N), those by the prototypes,
            summed over the pixels; and for each set of labels summed over
            those whose own segment is the positive, times its share in
            pos + neg, None where there are none.
    """

    def __init__(self, pixels: Tensor, prototypes: Tensor, sets: int) -> None:
        self.pixels, self.prototypes = pixels, prototypes
        self.at_pixels = torch.empty_like(pixels)
        self.at_prototypes: List[Optional[Tensor]] = [
            prototypes.new_zeros(prototypes.shape[::-1]), *sets * [None]
        ]

    def add(self, rows: slice, exponentials: Tensor, scale: Tensor,
            own_share: Tensor, alone: Tensor) -> None:
        """Take in a block: (r, N), (r,) what they are times, (L, r) twice."""
        torch.mul(
            multiply(exponentials, self.prototypes.t()),
            scale[:, None],
            out=self.at_pixels[rows])
        # As columns: the products are faster.
        pixels = (self.pixels[rows] * scale[:, None]).t().contiguous()
        slopes = self.at_prototypes
        add_product_(slopes[0], pixels, exponentials.t())
        for place, (share, only) in enumerate(zip(own_share, alone), 1):
            # Few, where views overlap.
            index = only.nonzero().squeeze(1)
            if not len(index):
                continue
            if slopes[place] is None:
                slopes[place] = torch.zeros_like(slopes[0])
            add_product_(slopes[place], pixels[:, index] * share[index],
                         exponentials[index].t())


def _row_blocks(pixels: Tensor, prototypes: Tensor,
                block_size: int) -> Iterator[slice]:
    """Rows whose similarities are in memory at once."""
    step = max(1, block_size // max(len(prototypes), 1))
    if pixels.device.type == 'cpu':
        step = min(step, _CPU_ROWS)
    for start in range(0, len(pixels), step):
        yield slice(start, start + step)


def _blocks(pixels: Tensor, prototypes: Tensor, own: Tensor,
            concentration: float,
            block_size: int) -> Iterator[Tuple[slice, Tensor, Tensor]]:
    """Rows, their similarities without the own ones, and those, (r,)."""
    for rows in _row_blocks(pixels, prototypes, block_size):
        similarity = multiply(concentration * pixels[rows], prototypes)
        column = own[rows, None]
        own_similarity = similarity.gather(1, column).squeeze(1)
        yield rows, similarity.scatter_(1, column,
                                        -torch.inf), own_similarity


def _softmax_(similarity: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Exponentials in place of similarities (r, N), up to a factor of the row.

    Returns:
        Tuple[Tensor, Tensor, Tensor]: (r,) what was subtracted from the
        similarities; the log of the sum of the exponentials of these; and
        what those that are there are to be multiplied by to sum to 1 (0 where
        there are none).
    """
    largest = similarity.amax(dim=1)
    largest = torch.where(largest == -torch.inf, 0, largest)
    total = similarity.sub_(largest[:, None]).exp_().sum(dim=1)
    return (largest, total.log() + largest,
            torch.where(total > 0, 1 / total, 0))


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
