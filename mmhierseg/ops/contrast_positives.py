"""Positives of the contrast of pixels with segments.

They are few: the prototypes that share a label with some pixel of a block,
where pixels of an image follow each other. See
:mod:`.pixel_segment_contrast`.

Legend: r pixels of a block, N prototypes, D channels, L sets of labels,
n prototypes that are looked at.
"""

from typing import Tuple

import torch
from torch import Tensor


def sum_positives(exponentials: Tensor, largest: Tensor, labels: Tensor,
                  own: Tensor) -> Tuple[Tensor, Tensor]:
    """(L, r) log of the sums over positives, and where they may be wrong.

    There they are too small beside the others for float32, or there are none.
    """
    columns = _same_labels(labels, own)
    exponentials = exponentials[:, columns]
    sums = torch.stack([
        torch.where(names[columns] == names[own, None], exponentials,
                    0).sum(dim=1) for names in labels
    ])
    # What is added up is not denormal then, where it is of any weight.
    least = 1e8 * torch.finfo(sums.dtype).tiny
    return sums.log() + largest, sums < least


def sum_few_positives(pixels: Tensor, prototypes: Tensor, labels: Tensor,
                      own: Tensor,
                      own_similarity: Tensor) -> Tuple[Tensor, Tensor]:
    """(L, r) log of the sums over positives, and where that is the own one.

    Exact whatever there is beside them; of few pixels, which are multiplied
    by kappa.
    """
    columns = _same_labels(labels, own)
    similarity = pixels @ prototypes[columns].t()
    similarity.masked_fill_(columns == own[:, None], -torch.inf)
    positives = torch.stack([
        torch.where(names[columns] == names[own, None], similarity,
                    -torch.inf).logsumexp(dim=1) for names in labels
    ])
    alone = positives == -torch.inf
    return torch.where(alone, own_similarity, positives), alone


def slope_of_positives(pixels: Tensor, prototypes: Tensor, own: Tensor,
                       labels: Tensor, positives: Tensor, alone: Tensor,
                       own_share: Tensor,
                       grad: Tensor) -> Tuple[Tensor, Tensor]:
    """Of -log(pos), and of what the own segment has in log(pos + neg).

    Returns:
        Tuple[Tensor, Tensor]: (n,) prototypes that it is not zero for, and
        (r, n) gradients by the similarities with these.
    """
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
    """Prototypes with the label of some row in one of the sets, (n,)."""
    wanted = torch.zeros_like(labels, dtype=torch.bool)
    wanted.scatter_(1, labels[:, own], True)
    return wanted.gather(1, labels).any(dim=0).nonzero().squeeze(1)
