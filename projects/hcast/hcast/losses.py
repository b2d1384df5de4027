"""The loss of classification at several levels (H-CAST, ICLR 2025).

Legend: B images, L levels, K_l classes at level l, K = sum of K_l.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['hierarchical_losses']


def hierarchical_losses(logits: Sequence[Tensor],
                        scores: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Cross entropies of the levels, and their joint KL divergence.

    The KL divergence is between the scores of all levels, which sum to 1
    together, and one softmax over the classes of all levels. With m_l, the
    share of this softmax that falls on level l, it is the mean over the
    levels of their own KL divergences plus that of (1/L, ..., 1/L) to m: it
    asks the levels for logits of the same size, not for one path of the
    taxonomy, which it does not know.

    Args:
        logits (Sequence[Tensor]): (B, K_l) of each level.
        scores (Sequence[Tensor]): (B, K_l) targets of each level, non-negative
            and summing to 1: one-hot, or mixed by Mixup or CutMix.

    Returns:
        tuple[Tensor, Tensor]: (L,) cross entropies, each a mean over images,
        and the KL divergence, likewise; float32 (float64 of such logits).

    Raises:
        ValueError: If shapes differ.

    Example:
        >>> logits = [torch.zeros(1, 4), torch.zeros(1, 2)]
        >>> scores = [torch.eye(4)[:1], torch.eye(2)[1:]]
        >>> cross_entropies, divergence = hierarchical_losses(logits, scores)
        >>> cross_entropies.exp(), divergence.exp()  # 4, 2; 6 / 2
        (tensor([4., 2.]), tensor(3.))
    """
    shapes = [[tuple(x.shape) for x in values] for values in (logits, scores)]
    if shapes[0] != shapes[1] or not shapes[0]:
        raise ValueError('`logits` and `scores` must have the same shapes, '
                         f'got {shapes[0]} and {shapes[1]}')
    logits = [_at_least_float(x) for x in logits]
    scores = [s.to(x.dtype) for s, x in zip(scores, logits)]
    cross_entropies = torch.stack(
        [F.cross_entropy(x, s) for x, s in zip(logits, scores)])
    divergence = F.kl_div(
        torch.cat(logits, dim=1).log_softmax(dim=1),
        F.normalize(torch.cat(scores, dim=1), p=1, dim=1),
        reduction='batchmean')
    return cross_entropies, divergence


def _at_least_float(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
