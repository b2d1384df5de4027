"""Prototypes and classes of segments, for retrieval.

CAST and HSG, evaluation by retrieval: the prototype of a segment is the
normalised mean of the embeddings over its pixels, its class the majority of
the ground truth.

Legend: B images, N segments that have embeddings, M coarser segments made of
them, D channels, K classes.
"""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_tokens
from .kmeans import sum_by_label
from .knn import first_of_largest


def segment_prototypes(embeddings: Tensor,
                       sizes: Tensor,
                       parents: Tensor,
                       num_segments: int,
                       empty: Optional[Tensor] = None) -> Tensor:
    """Normalised mean of the embeddings over the pixels of each segment.

    All pixels of a fine segment have its embedding, so the mean over those of
    a coarse one is that of its fine ones, weighted by their sizes.

    Args:
        embeddings (Tensor): (B, N, D) float, of unit length. Half precision
            is summed in float32.
        sizes (Tensor): (B, N) int64, pixels of each fine segment.
        parents (Tensor): (B, N) int64 in [-1, M - 1], coarse segment of each
            fine one; -1 = none.
        num_segments (int): M, at least 1.
        empty (Tensor, optional): (B, N) bool, fine segments without an
            embedding. Defaults to None: all have one.

    Returns:
        Tensor: (B, M, D), float32 or wider, of unit length; zero for a
        segment without pixels.

    Raises:
        ValueError: If shapes do not fit each other.

    Example:
        >>> embeddings = torch.tensor([[[1., 0.], [0., 1.], [0., -1.]]])
        >>> sizes = torch.tensor([[4, 3, 9]])
        >>> parents = torch.tensor([[0, 0, -1]])
        >>> segment_prototypes(embeddings, sizes, parents, 1)
        tensor([[[0.8000, 0.6000]]])
    """
    check_tokens('embeddings', embeddings, empty)
    for name, values in (('sizes', sizes), ('parents', parents)):
        if values.shape != embeddings.shape[:2]:
            raise ValueError(
                f'`{name}` must have shape {tuple(embeddings.shape[:2])}, '
                f'got {tuple(values.shape)}')
    if empty is not None:
        parents = parents.masked_fill(empty, -1)
    dtype = torch.promote_types(embeddings.dtype, torch.float32)
    with torch.autocast(embeddings.device.type, enabled=False):
        weighted = embeddings.to(dtype) * sizes[..., None].to(dtype)
        sums, _ = sum_by_label(weighted, parents, num_segments)
        return F.normalize(sums, dim=2)


def majority_class(counts: Tensor) -> Tensor:
    """Class that most pixels of a segment have.

    Args:
        counts (Tensor): (..., K) int64, pixels of each class in a segment,
            see :func:`segment_class_counts`.

    Returns:
        Tensor: (...) int64, the smallest class on ties; -1 where nothing was
        counted.

    Example:
        >>> majority_class(torch.tensor([[0, 2, 2], [0, 0, 0], [3, 0, 2]]))
        tensor([ 1, -1,  0])
    """
    counted = counts.sum(dim=-1) > 0
    return torch.where(counted, first_of_largest(counts), -1)
