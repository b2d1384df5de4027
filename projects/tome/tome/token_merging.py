"""Bipartite soft matching and size-weighted merging of tokens.

Bolya et al., "Token Merging: Your ViT But Faster", ICLR 2023 (arXiv
2210.09461), Sec. 3: tokens alternate between two sets, A and B; each token of
A finds the most similar one of B; the r most similar pairs are merged. The
rest of A comes before B, so that the next block splits them differently. As
in the paper, the class token is kept apart.

Different from the paper: images have different numbers of superpixels, so
some tokens of a batch are empty. They have size 0, come last, are not merged
and have no weight, so that an image's result does not depend on its batch.

Legend: B images, N tokens before and M after, C channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def match_tokens(metric: Tensor, sizes: Tensor,
                 num_merged: int) -> tuple[Tensor, int]:
    """Choose the tokens to merge, and number the remaining ones.

    Args:
        metric (Tensor): (B, N, C); tokens are compared by its cosine.
        sizes (Tensor): (B, N) float, 0 = empty; in each image, empty tokens
            come last.
        num_merged (int): r; at most half of the tokens are merged.

    Returns:
        tuple[Tensor, int]: Parents (B, N) int64 in [0, M - 1], and
        M = N - min(r, N // 2). Empty tokens get the parent of the most
        similar token of B; the remaining empty tokens come last again.
    """
    batch, num_tokens = sizes.shape
    count = num_tokens - min(num_merged, num_tokens // 2)
    index = torch.arange(num_tokens, device=sizes.device).expand(batch, -1)
    empty = sizes == 0
    in_a = (index % 2 == 1) & ~empty
    with torch.autocast(metric.device.type, enabled=False):
        metric = F.normalize(metric.float(), dim=-1)
        cosine = metric @ metric[:, ::2].transpose(1, 2)
    cosine = cosine.masked_fill(empty[:, None, ::2], -torch.inf)
    similarity, nearest = cosine.max(dim=-1)
    similarity = similarity.masked_fill(~in_a, -torch.inf)
    chosen = similarity.sort(dim=1, descending=True, stable=True)[1]
    merged = torch.zeros_like(empty).scatter_(
        1, chosen[:, :num_tokens - count], True) & in_a
    # Rest of A, then B, then empty tokens; merged ones get no number.
    rank = torch.where(in_a, 0, 1).masked_fill(empty | merged, 2)
    order = rank.sort(dim=1, stable=True)[1]
    position = torch.empty_like(order).scatter_(1, order, index)
    into = torch.where(merged | empty, 2 * nearest, index)
    return position.gather(1, into), count


def merge_tokens(tokens: Tensor, sizes: Tensor, parents: Tensor,
                 count: int) -> tuple[Tensor, Tensor]:
    """Average tokens, weighted by their sizes.

    Args:
        tokens (Tensor): (B, N, C). Half precision is summed in float32.
        sizes (Tensor): (B, N) float32, 0 = empty.
        parents (Tensor): (B, N) int64 in [0, M - 1].
        count (int): M.

    Returns:
        tuple[Tensor, Tensor]: Tokens (B, M, C), zero where empty, and the
        sums of their sizes (B, M).
    """
    new_sizes = sizes.new_zeros(len(sizes), count).scatter_add(
        1, parents, sizes)
    weighted = tokens.float() * sizes[..., None]
    sums = weighted.new_zeros(len(tokens), count, tokens.size(2)).scatter_add(
        1, parents[..., None].expand_as(tokens), weighted)
    return (sums / new_sizes.clamp(min=1)[..., None]).to(
        tokens.dtype), new_sizes
