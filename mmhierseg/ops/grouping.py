"""Soft assignment of tokens to clusters, and means of tokens.

CAST, Sec. 3.2: a token belongs to a cluster by the softmax of the scaled
cosine between its grouping feature and that of the cluster's centroid; a
cluster is the weighted mean of its tokens.

Legend: B images, N tokens, K clusters, C channels. Assignments are (B, N, K),
tokens in rows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import wide

# Logit of an empty cluster: softmax gives it exactly zero in every precision
# (exp(-1e4) underflows in float64 too), and unlike -inf it stays finite where
# a whole image is empty.
EMPTY_LOGIT = -1e4


def assignment_logits(features: Tensor,
                      sampled: Tensor,
                      scale: float = 5.0) -> Tensor:
    """Scaled cosines of all tokens with the sampled ones.

    Args:
        features (Tensor): (B, N, C) float, grouping features U.
        sampled (Tensor): (B, K) int64 in [-1, N - 1], tokens that are the
            centroids, -1 = empty cluster.
        scale (float): Factor of the cosine.

    Returns:
        Tensor: (B, N, K), float32 or wider, in [-scale, scale];
        ``EMPTY_LOGIT`` for empty clusters.
    """
    with torch.autocast(features.device.type, enabled=False):
        unit = F.normalize(wide(features), dim=-1)
        centroids = take_tokens(unit, sampled)
        logits = scale * unit @ centroids.transpose(1, 2)
    return logits.masked_fill((sampled < 0)[:, None], EMPTY_LOGIT)


def pool_tokens(values: Tensor,
                assignment: Tensor,
                empty: Tensor | None = None) -> Tensor:
    """Mean of the tokens of each cluster, weighted by their assignment.

    Args:
        values (Tensor): (B, N, C) float.
        assignment (Tensor): (B, N, K) float in [0, 1].
        empty (Tensor, optional): (B, N) bool, tokens to leave out.

    Returns:
        Tensor: (B, K, C), float32 or wider; zero for a cluster without tokens.
    """
    values = wide(values)
    with torch.autocast(values.device.type, enabled=False):
        weight = assignment.to(values.dtype)
        if empty is not None:
            weight = weight.masked_fill(empty[..., None], 0)
        total = weight.sum(dim=1).clamp(min=torch.finfo(weight.dtype).tiny)
        # Dividing K x C sums is cheaper than normalising N x K weights.
        return weight.transpose(1, 2) @ values / total[..., None]


def take_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Rows of the tokens of each image.

    Args:
        tokens (Tensor): (B, N, C).
        index (Tensor): (B, K) int64 in [-1, N - 1].

    Returns:
        Tensor: (B, K, C); zero where the index is -1.
    """
    rows = index.clamp(min=0)[..., None].expand(-1, -1, tokens.size(2))
    return tokens.gather(1, rows).masked_fill((index < 0)[..., None], 0)


def masked_mean(tokens: Tensor, empty: Tensor | None = None) -> Tensor:
    """Mean over the tokens of an image that are not empty.

    Args:
        tokens (Tensor): (B, N, C) float, summed in at least float32.
        empty (Tensor, optional): (B, N) bool, tokens to leave out.

    Returns:
        Tensor: (B, C) of the same dtype; zero where all tokens are empty.
    """
    if empty is None:
        return tokens.mean(dim=1)
    # A sum of a thousand tokens can be above float16's largest number, and
    # bfloat16 does not count beyond 256.
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    kept = tokens.masked_fill(empty[..., None], 0)
    count = (~empty).sum(dim=1, keepdim=True).clamp(min=1)
    return (kept.sum(dim=1, dtype=dtype) / count).to(tokens.dtype)
