"""Graph pooling: from the segments of one level to those of the next."""

from typing import NamedTuple

import torch
import torch.nn as nn
from mmengine.model import BaseModule
from torch import Tensor

from mmhierseg.ops import (
    assignment_logits,
    farthest_point_sampling,
    masked_mean,
    pool_tokens,
    take_tokens,
)
from mmhierseg.ops.checks import check_at_least_1, check_shape
from mmhierseg.registry import MODELS

from ..utils import MaskedSelfAttention, keep_one_key


class GraphPoolingOutput(NamedTuple):
    """Result of one pooling; B images, N tokens, K clusters."""

    cls_token: Tensor
    """(B, C): class token after pooling."""
    tokens: Tensor
    """(B, K, C): cluster tokens, zero where a cluster is empty."""
    logits: Tensor
    """(B, N, K): scaled cosines, before the softmax over clusters."""
    sampled: Tensor
    """(B, K) int64: token of each centroid, -1 = the cluster is empty."""
    parents: Tensor
    """(B, N) int64 in [0, K - 1]: hard assignment of each token."""


class GroupingFeatures(BaseModule):
    """U = X + Attention(LayerNorm(X)), centred over tokens, plus a bias."""

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn = MaskedSelfAttention(embed_dims, num_heads)
        self.bias = nn.Parameter(torch.empty(embed_dims))
        nn.init.normal_(self.bias, std=1e-2)

    def forward(self, tokens: Tensor, empty: Tensor | None) -> Tensor:
        """(B, N, C) tokens to (B, N, C) features that they are grouped by."""
        keys = None if empty is None else keep_one_key(empty)
        features = tokens + self.attn(self.norm(tokens), keys)
        mean = masked_mean(features, empty)
        return features - mean[:, None] + self.bias


@MODELS.register_module()
class GraphPooling(BaseModule):
    """Pools segment tokens into fewer, by soft assignment to centroids.

    CAST (Ke et al., ICLR 2024, arXiv 2210.00314), Sec. 3.2: centroids are
    tokens chosen by farthest point sampling; each token is assigned to all
    clusters by the softmax of its scaled cosine similarity to their
    centroids; a cluster's token is an MLP of the weighted mean, plus the
    centroid.

    Args:
        embed_dims (int): Width C.
        num_clusters (int): K, number of clusters.
        num_heads (int): Heads of the attention among tokens. Defaults to 12.
        mlp_ratio (float): Width of the pooled features over C. Defaults to 4.
        drop_rate (float): Dropout of the pooled features. Defaults to 0.1.
        mask_empty (bool): Whether empty tokens are masked everywhere. Quirk:
            with False they are masked in the sampler's mean only and pooled
            like others, which published checkpoints need. Defaults to True.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: If ``num_clusters`` is below 1.
    """

    def __init__(self,
                 embed_dims: int,
                 num_clusters: int,
                 num_heads: int = 12,
                 mlp_ratio: float = 4.,
                 drop_rate: float = 0.1,
                 mask_empty: bool = True,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        check_at_least_1(num_clusters=num_clusters)
        self.num_clusters = num_clusters
        self.mask_empty = mask_empty
        hidden = int(embed_dims * mlp_ratio)
        self.grouping = GroupingFeatures(embed_dims, num_heads)
        self.expand = nn.Sequential(
            nn.LayerNorm(embed_dims, eps=1e-5), nn.Linear(embed_dims, hidden),
            nn.GELU(), nn.Dropout(drop_rate))
        self.project = nn.Sequential(
            nn.LayerNorm(hidden, eps=1e-5), nn.Linear(hidden, embed_dims))

    def forward(self,
                cls_token: Tensor,
                tokens: Tensor,
                empty: Tensor | None = None) -> GraphPoolingOutput:
        """Pool tokens into clusters.

        Args:
            cls_token (Tensor): (B, C).
            tokens (Tensor): (B, N, C).
            empty (Tensor, optional): (B, N) bool, tokens of segments without
                pixels. Defaults to None: there are none.

        Returns:
            GraphPoolingOutput: With fewer tokens than K, the last clusters of
            an image are empty (``mask_empty=True``).

        Raises:
            TypeError: If ``empty`` is not bool.
            ValueError: If the shapes do not match.
        """
        check_shape((tokens.size(0), tokens.size(2)), cls_token=cls_token)
        sampled = farthest_point_sampling(
            tokens, self.num_clusters, empty, pick_empty=not self.mask_empty)
        if not self.mask_empty:
            empty = None
        logits = assignment_logits(self.grouping(tokens, empty), sampled)
        hidden = pool_tokens(
            self.expand(tokens), logits.softmax(dim=-1), empty)
        # Sums are float32; weights of a model in half precision are not.
        hidden = hidden.to(tokens.dtype)
        pooled = self.project(hidden) + take_tokens(tokens, sampled)
        if empty is not None or tokens.size(1) < self.num_clusters:
            pooled = pooled.masked_fill((sampled < 0)[..., None], 0)
        return GraphPoolingOutput(
            cls_token=self.pool_cls_token(cls_token),
            tokens=pooled,
            logits=logits,
            sampled=sampled,
            parents=logits.argmax(dim=-1))

    def pool_cls_token(self, cls_token: Tensor) -> Tensor:
        """(B, C) class token after pooling; others do not affect it."""
        return self.project(self.expand(cls_token)) + cls_token
