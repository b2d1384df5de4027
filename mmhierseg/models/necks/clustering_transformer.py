"""Clustering transformer: soft grouping of segments by learned queries.

HSG (Ke et al., CVPR 2022, Sec. 3): queries attend to the segments of an image
and become centroids of groups; a segment is assigned by the softmax of its
inner products with them.

Legend: B images, N segments (padded), K clusters, C channels.
"""

from copy import deepcopy
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.ops import masked_mean
from mmhierseg.ops.checks import check_at_least_1, check_shape, check_tokens
from mmhierseg.registry import MODELS

from ..utils import (
    BatchNormDecoderLayer,
    BatchNormEncoderLayer,
    TokenBatchNorm,
    keep_one_key,
)


class ClusteringOutput(NamedTuple):
    """Groups, sorted by their largest logit."""

    logits: Tensor
    """(B, K, N): before the softmax over clusters."""
    centroids: Tensor
    """(B, K, C): centroids that give the logits."""
    features: Tensor
    """(B, K, C): features of the groups for the next level."""


@MODELS.register_module()
class ClusteringTransformer(BaseModule):
    """Groups the segments of each image by learned queries.

    A DETR-like encoder and decoder with batch normalisation over channels.
    The decoder's inputs all start from one vector, computed from mean and
    standard deviation of the encoded segments.

    Args:
        embed_dims (int): Width C.
        num_clusters (int): K, number of queries.
        num_heads (int): Attention heads; must divide C. Defaults to 4.
        num_layers (int): Layers of the encoder, and of the decoder. Defaults
            to 2.
        feedforward_channels (int, optional): Width inside the feed-forward
            networks. Defaults to None: 2 C.
        drop_rate (float): Dropout. Defaults to 0.1.
        mask_padding (bool): Whether padding is masked everywhere. Quirk: with
            False, which published weights need, it is in the batch statistics
            and zero vectors in the deviation. Defaults to False.
        centroid_scale (float): Initial weight of the last normalisation of
            centroids. The authors use 1; larger ones make groups harder from
            the start, which short trainings need. Defaults to 1.
        kmeans_init (bool): Whether to begin with steps of soft k-means, see
            :meth:`init_as_kmeans`, instead of the authors' random weights,
            from which groups are learned slowly. Defaults to False.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self,
                 embed_dims: int,
                 num_clusters: int,
                 num_heads: int = 4,
                 num_layers: int = 2,
                 feedforward_channels: int | None = None,
                 drop_rate: float = 0.1,
                 mask_padding: bool = False,
                 centroid_scale: float = 1.,
                 kmeans_init: bool = False,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        check_at_least_1(
            num_clusters=num_clusters,
            num_heads=num_heads,
            num_layers=num_layers)
        if centroid_scale <= 0:
            raise ValueError(
                f'`centroid_scale` must be above 0, got {centroid_scale}')
        hidden = feedforward_channels or 2 * embed_dims
        self.embed_dims = embed_dims
        self.num_clusters = num_clusters
        self.mask_padding = mask_padding
        sizes = (embed_dims, num_heads, hidden, drop_rate)
        self.query_embed = nn.Embedding(num_clusters, embed_dims)
        # As in DETR, layers start as copies, of which biases stay the same.
        self.encoder, self.decoder = (
            nn.ModuleList(deepcopy(layer) for _ in range(num_layers))
            for layer in (BatchNormEncoderLayer(*sizes),
                          BatchNormDecoderLayer(*sizes)))
        self.decoder_norm = TokenBatchNorm(embed_dims)
        self.target = nn.Sequential(
            nn.Linear(2 * embed_dims, hidden, bias=False),
            TokenBatchNorm(hidden), nn.ReLU(), nn.Linear(hidden, embed_dims))
        self.centroid = _projection(embed_dims)
        nn.init.constant_(self.centroid[-1].norm.weight, centroid_scale)
        self.centroid_feature = _projection(embed_dims)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1 and not name.startswith(
                    ('query_embed', 'centroid')):
                nn.init.xavier_uniform_(parameter)
        if kmeans_init:
            self.init_as_kmeans()

    @torch.no_grad()
    def init_as_kmeans(self) -> None:
        """Initialise the decoder layers as steps of soft k-means.

        Each decoder layer attends by inner products without projections, so
        queries become means of similar tokens; the encoder only normalises
        tokens. All other branches are zero at first, and learned. With one
        head, all channels are compared at once, as in k-means.
        """
        for layer in (*self.encoder, *self.decoder):
            for added in (layer.self_attn.out_proj, layer.linear2):
                nn.init.zeros_(added.weight)
                nn.init.zeros_(added.bias)
        for layer in self.decoder:
            attention = layer.multihead_attn
            for weight in attention.in_proj_weight.chunk(3):
                nn.init.eye_(weight)
            nn.init.eye_(attention.out_proj.weight)
        nn.init.zeros_(self.target[-1].weight)
        nn.init.zeros_(self.target[-1].bias)
        for projection in (self.centroid, self.centroid_feature):
            nn.init.eye_(projection[1].weight)

    def forward(self,
                tokens: Tensor,
                positions: Tensor,
                padding: Tensor | None = None,
                num_padding: Tensor | None = None,
                longest: int | None = None) -> ClusteringOutput:
        """Group the segments of each image.

        Args:
            tokens (Tensor): (B, N, C), zero where padded.
            positions (Tensor): (B, N, C), their encodings, zero where padded.
            padding (Tensor, optional): (B, N) bool. Defaults to None: no
                padding, and the unbiased standard deviation (see
                :func:`token_statistics`).
            num_padding (Tensor, optional): (B,), number of zero vectors in
                the standard deviation. Defaults to None: all padded tokens,
                or 0 with ``mask_padding``.
            longest (int, optional): Length of the longest sequence, if known:
                later tokens are not used as keys. Defaults to None.

        Returns:
            ClusteringOutput: Logits of padding are meaningless.

        Raises:
            TypeError: If ``padding`` is not bool.
            ValueError: If shapes do not match.
        """
        check_tokens(padding, 'padding', tokens=tokens)
        check_shape(tokens.shape, positions=positions)
        masked = masked_keys = None
        if padding is not None:
            masked = keep_one_key(padding)
            masked_keys = masked[:, :longest]
        excluded = masked if self.mask_padding else None
        memory = tokens
        for layer in self.encoder:
            memory = layer(memory, positions, masked_keys, excluded)
        if padding is not None and num_padding is None:
            num_padding = padding.sum(dim=1) * (not self.mask_padding)
        target = self.target(token_statistics(memory, padding, num_padding))
        outputs = target[:, None].expand(-1, self.num_clusters, -1)
        for layer in self.decoder:
            outputs = layer(outputs, self.query_embed.weight,
                            memory[:, :longest], positions[:, :longest],
                            masked_keys)
        outputs = self.decoder_norm(outputs)
        centroids = self.centroid(outputs)
        logits = largest = (
            centroids @ memory.transpose(1, 2) * self.embed_dims**-0.5)
        if masked is not None:
            largest = logits.masked_fill(masked[:, None], -torch.inf)
        order = largest.amax(dim=2).argsort(
            dim=1, descending=True, stable=True)[..., None]
        return ClusteringOutput(*(
            value.gather(1, order.expand_as(value))
            for value in (logits, centroids, self.centroid_feature(outputs))))


def token_statistics(tokens: Tensor,
                     padding: Tensor | None = None,
                     num_padding: Tensor | None = None) -> Tensor:
    """(B, 2 C) mean and standard deviation of (B, N, C) tokens.

    Without ``padding``, (B, N) bool, the deviation is the unbiased one (0 of
    one token). Quirk: with it, the sum of squares is divided by n + 1, and
    ``num_padding``, (B,), zero vectors count.
    """
    mean = masked_mean(tokens, padding)
    squares = (tokens - mean[:, None]).square()
    if padding is None:
        variance = squares.sum(dim=1) / max(tokens.size(1) - 1, 1)
    else:
        total = squares.masked_fill(padding[..., None], 0).sum(dim=1)
        total = total + num_padding[:, None] * mean.square()
        variance = total / ((~padding).sum(dim=1, keepdim=True) + 1)
    # The square root is not differentiable at zero.
    tiny = torch.finfo(variance.dtype).tiny
    return torch.cat([mean, variance.clamp(min=tiny).sqrt()], dim=1)


def _projection(embed_dims: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(),
                         nn.Linear(embed_dims, embed_dims, bias=False),
                         TokenBatchNorm(embed_dims))
