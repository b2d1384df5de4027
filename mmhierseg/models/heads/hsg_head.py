"""Head of HSG: unsupervised hierarchical grouping of pixel embeddings.

HSG (Ke et al., CVPR 2022): segments of k-means are grouped at two levels by
clustering transformers, and contrasts of pixels with segments at all levels
shape the embedding.

Legend: V views, B images, N segments of the batch, L segments of an image
(padded), D channels, h x w pixels of the embedding.
"""

from typing import Dict, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg._base.gathering import all_reduce_max
from mmhierseg.ops import (
    SegmentSequences,
    joint_labels,
    segment_positions,
    segment_sequences,
)
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentHierarchy

from ..necks import ClusteringTransformer, EmbeddingNeck
from ..utils import LearnedPositions
from .hsg_losses import HSGLosses
from .segment_groups import (
    SegmentGroups,
    ViewSegments,
    labels_in_images,
    segment_views,
)


@MODELS.register_module()
class HSGHead(BaseModule):
    """Segments, fine and coarse groups of them, and the losses of HSG.

    Without a loss above the segments (all weights but ``img_sim_weight`` are
    zero, as in the first stage on COCO) there are no transformers, and the
    hierarchy is that of the segments alone.

    Args:
        in_channels (int): Channels of the features that :meth:`forward`
            takes. If not ``embed_dims``, an :class:`EmbeddingNeck` makes
            embeddings of them; else they are embeddings already.
        embed_dims (int): Channels D of embeddings, and of the transformers.
        kmeans_clusters (Tuple[int, int]): (K_h, K_w), grid that the k-means
            of a view starts from. Defaults to (4, 4).
        kmeans_iterations (int): Defaults to 15.
        fine_clusters (int): Fine groups of an image. Defaults to 8.
        coarse_clusters (int): Coarse groups of an image. Defaults to 4.
        graph_knn (int): Edges of a segment in the graph for modularity.
            Defaults to 2.
        graph_within_view (bool): Whether it has so many within each view of
            its image, rather than in all. Defaults to True.
        pad_length (int, optional): Segments of an image are padded to so
            many; more are kept. None: to the longest of the batch. In
            evaluation then none counts. Defaults to 256.
        img_sim_weight (float): Weight of L(G_e), the contrast by regions of
            the over-segmentation. Defaults to 1.
        fine_weight (float): Weight of L(G_1). Defaults to 0.1.
        coarse_weight (float): Weight of L(G_2). Defaults to 0.1.
        grouping_weight (float): Weight of modularity and collapse. Defaults
            to 1.
        centroid_weight (float): Weight of the contrast of centroids. Defaults
            to 1.
        concentration (float): kappa of all contrasts. Defaults to 16.
        cosegment (bool): Whether in the losses the views of an image share
            regions and groups. SegSort has no views: with False, each is an
            image of its own. Defaults to True.
        dropout (float): Of the transformers. Defaults to 0.1.
        num_heads (int): Of their attention. Defaults to 4.
        num_layers (int): Of each encoder and decoder. Defaults to 2.
        feedforward_channels (int, optional): Width of their feed-forward
            networks. Defaults to None: 2 D.
        max_positions (int): Rows and columns with a learned position.
            Defaults to 50.
        position_size (int, optional): Rows and columns of training crops, if
            larger maps shall get positions between these. Defaults to None:
            ``max_positions``.
        mask_padding (bool): See :class:`ClusteringTransformer`; published
            weights need False. Defaults to False.
        centroid_scale (float): See :class:`ClusteringTransformer`. Defaults
            to 1.
        kmeans_init (bool): See :class:`ClusteringTransformer`; positions
            begin small then. Defaults to False.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: If a weight is negative or a number below 1.
    """

    def __init__(self,
                 in_channels: int,
                 embed_dims: int,
                 kmeans_clusters: Tuple[int, int] = (4, 4),
                 kmeans_iterations: int = 15,
                 fine_clusters: int = 8,
                 coarse_clusters: int = 4,
                 graph_knn: int = 2,
                 graph_within_view: bool = True,
                 pad_length: Optional[int] = 256,
                 img_sim_weight: float = 1.,
                 fine_weight: float = 0.1,
                 coarse_weight: float = 0.1,
                 grouping_weight: float = 1.,
                 centroid_weight: float = 1.,
                 concentration: float = 16.,
                 cosegment: bool = True,
                 dropout: float = 0.1,
                 num_heads: int = 4,
                 num_layers: int = 2,
                 feedforward_channels: Optional[int] = None,
                 max_positions: int = 50,
                 position_size: Optional[int] = None,
                 mask_padding: bool = False,
                 centroid_scale: float = 1.,
                 kmeans_init: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        _check_grid(kmeans_clusters)
        _check_at_least(
            0,
            img_sim_weight=img_sim_weight,
            fine_weight=fine_weight,
            coarse_weight=coarse_weight,
            grouping_weight=grouping_weight,
            centroid_weight=centroid_weight)
        _check_at_least(
            1,
            kmeans_iterations=kmeans_iterations,
            graph_knn=graph_knn,
            pad_length=1 if pad_length is None else pad_length)
        self.embed_dims = embed_dims
        self.kmeans_clusters = tuple(kmeans_clusters)
        self.kmeans_iterations = kmeans_iterations
        self.pad_length = pad_length
        self.cosegment = cosegment
        self.embedding = nn.Identity() if in_channels == embed_dims else (
            EmbeddingNeck(in_channels, embed_dims))
        self.losses = HSGLosses((img_sim_weight, fine_weight, coarse_weight),
                                grouping_weight, centroid_weight,
                                concentration, graph_knn, graph_within_view)
        self.with_groups = self.losses.needs_groups
        if self.with_groups:
            # In k-means, what segments look like decides; not where they are.
            self.positions = LearnedPositions(
                embed_dims, max_positions, position_size,
                init_range=0.1 if kmeans_init else 1.)
            self.fine_transformer, self.coarse_transformer = (
                ClusteringTransformer(embed_dims, clusters, num_heads,
                                      num_layers, feedforward_channels,
                                      dropout, mask_padding,
                                      centroid_scale, kmeans_init)
                for clusters in (fine_clusters, coarse_clusters))
            self._freeze_unused()

    def _freeze_unused(self) -> None:
        """Have no gradients where no loss has a slope."""
        # No level above the coarse one would take these.
        self.coarse_transformer.centroid_feature.requires_grad_(False)
        # Of soft groups, contrasts of pixels see the largest only.
        if not self.losses.trains_groups:
            for part in (self.positions, self.fine_transformer,
                         self.coarse_transformer):
                part.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        """Embeddings, what the other methods take.

        Args:
            features (Tensor): (V, in_channels, h, w).

        Returns:
            Tensor: (V, D, h, w), before normalisation.
        """
        return self.embedding(features)

    # ----------------------------------------------------------------- losses

    def loss_from_embeddings(self, embeddings: Tensor, segments: Tensor,
                             image_index: Tensor) -> Dict[str, Tensor]:
        """Losses of a batch of views. All processes must call it together.

        Args:
            embeddings (Tensor): (V, D, h, w) float, before normalisation.
            segments (Tensor): (V, h, w) integers, the over-segmentation, by
                numbers that all views of an image share; negative = ignored.
            image_index (Tensor): (V,) integers, image of each view; those of
                different processes are different images.

        Returns:
            Dict[str, Tensor]: ``loss_img_sim``, L(G_e); ``loss_hierarchy``,
            L(G_1) + L(G_2); ``loss_clustering``, the goodness of grouping;
            all weighted. A batch without a pixel that is not ignored has the
            loss 0.

        Raises:
            TypeError: If a tensor has another type.
            ValueError: If the shapes do not fit each other.
        """
        segments, image_index = self._check(embeddings, segments, image_index)
        if not self.cosegment:
            image_index = torch.arange(
                len(image_index), device=image_index.device)
        with torch.autocast(embeddings.device.type, enabled=False):
            views = self._segment(embeddings, segments)
            groups = sequences = None
            if self.with_groups:
                sequences = self._common_sequences(views.views, image_index)
                groups = self._group(views, sequences)
            return self.losses(views, image_index[views.views], groups,
                               sequences)

    def _common_sequences(self, views: Tensor,
                          image_index: Tensor) -> SegmentSequences:
        """Sequences of one length in all processes: padding counts."""
        # An image of which everything is ignored is as if it were not there:
        # statistics of batch normalisation would count its padding.
        if len(views):
            seen, views = views.unique_consecutive(return_inverse=True)
            image_index = image_index[seen]
        sequences = segment_sequences(views, image_index, self.pad_length)
        own = sequences.padding.size(1)
        length = all_reduce_max(own)
        if length == own:
            return sequences
        return segment_sequences(views, image_index, length)

    # -------------------------------------------------------------- hierarchy

    @torch.no_grad()
    def hierarchy_from_embeddings(
            self,
            embeddings: Tensor,
            segments: Optional[Tensor] = None,
            image_index: Optional[Tensor] = None,
            kmeans_clusters: Optional[Tuple[int, int]] = None,
            kmeans_iterations: Optional[int] = None) -> SegmentHierarchy:
        """Nested segmentations: segments, fine groups, coarse groups.

        The coarse group of a segment is that of its fine group, argmax C.
        Views of an image share the numbers of all levels.

        Args:
            embeddings (Tensor): (V, D, h, w) float, before normalisation.
            segments (Tensor, optional): (V, h, w) integers, as in
                :meth:`loss_from_embeddings`. Defaults to None: nothing is cut
                or ignored.
            image_index (Tensor, optional): (V,) integers, image of each view.
                Defaults to None: each is an image of its own.
            kmeans_clusters (Tuple[int, int], optional): (K_h, K_w) in place
                of the head's, as larger images of a test need. Defaults to
                None.
            kmeans_iterations (int, optional): Likewise. Defaults to None.

        Returns:
            SegmentHierarchy: An entry for each view; with the level of
            segments alone if the head has no transformers.

        Raises:
            TypeError: If a tensor has another type.
            ValueError: If the shapes do not fit each other.
        """
        if self.with_groups:
            groups = self.group_probabilities(embeddings, segments,
                                              image_index, kmeans_clusters,
                                              kmeans_iterations)
            return groups.hierarchy()
        segments, image_index = self._check(embeddings, segments, image_index)
        views = self._segment(embeddings, segments, kmeans_clusters,
                              kmeans_iterations)
        sequences = segment_sequences(views.views, image_index)
        return SegmentHierarchy(
            labels_in_images(views.labels, sequences), [])

    def group_probabilities(
            self,
            embeddings: Tensor,
            segments: Optional[Tensor] = None,
            image_index: Optional[Tensor] = None,
            kmeans_clusters: Optional[Tuple[int, int]] = None,
            kmeans_iterations: Optional[int] = None) -> SegmentGroups:
        """Soft groups of the segments of each image: P_1, C and P_2.

        Args:
            embeddings (Tensor): As in :meth:`hierarchy_from_embeddings`.
            segments (Tensor, optional): As there. Defaults to None.
            image_index (Tensor, optional): As there. Defaults to None.
            kmeans_clusters (Tuple[int, int], optional): As there. Defaults to
                None.
            kmeans_iterations (int, optional): As there. Defaults to None.

        Returns:
            SegmentGroups: See there.

        Raises:
            RuntimeError: If the head has no transformers.
            TypeError: If a tensor has another type.
            ValueError: If the shapes do not fit each other.
        """
        if not self.with_groups:
            raise RuntimeError(
                'the head has no groups: its weights of all losses above the '
                'segments are 0')
        segments, image_index = self._check(embeddings, segments, image_index)
        with torch.autocast(embeddings.device.type, enabled=False):
            views = self._segment(embeddings, segments, kmeans_clusters,
                                  kmeans_iterations)
            sequences = segment_sequences(views.views, image_index,
                                          self.pad_length)
            groups = self._group(views, sequences)
        return groups._replace(images=joint_labels(image_index)[0])

    def _segment(self,
                 embeddings: Tensor,
                 segments: Optional[Tensor],
                 kmeans_clusters: Optional[Tuple[int, int]] = None,
                 kmeans_iterations: Optional[int] = None) -> ViewSegments:
        return segment_views(embeddings, segments,
                             kmeans_clusters or self.kmeans_clusters,
                             kmeans_iterations or self.kmeans_iterations)

    def _group(self, views: ViewSegments,
               sequences: SegmentSequences) -> SegmentGroups:
        padding = sequences.padding
        encoding = self.positions(*views.labels.shape[1:])
        positions = sequences.pad(
            segment_positions(encoding, views.labels, len(views.views)))
        fine = self.fine_transformer(
            sequences.pad(views.prototypes), positions, padding,
            self._num_padding(padding), sequences.longest)
        probability = fine.logits.softmax(dim=1)
        # Each segment counts once, whatever its size is.
        members = F.one_hot(probability.argmax(dim=1), fine.logits.size(1))
        members = members.masked_fill(padding[..., None], 0)
        members = members.transpose(1, 2).to(positions.dtype)
        sizes = members.sum(dim=2, keepdim=True).clamp(min=1)
        coarse = self.coarse_transformer(fine.features,
                                         members @ positions / sizes)
        fine_to_coarse = coarse.logits.softmax(dim=1)
        return SegmentGroups(
            fine=probability,
            fine_to_coarse=fine_to_coarse,
            coarse=fine_to_coarse @ probability,
            fine_centroids=fine.centroids,
            coarse_centroids=coarse.centroids,
            padding=padding,
            labels=labels_in_images(views.labels, sequences))

    def _num_padding(self, padding: Tensor) -> Optional[Tensor]:
        """How much padding counts in the transformers' statistics.

        In evaluation as much as if each image were alone: what it gets does
        not depend on its batch.
        """
        if self.training or self.fine_transformer.mask_padding:
            return None
        number = (~padding).sum(dim=1)
        return ((self.pad_length or 0) - number).clamp(min=0)

    # ----------------------------------------------------------------- checks

    def _check(self, embeddings: Tensor, segments: Optional[Tensor],
               image_index: Optional[Tensor]
               ) -> Tuple[Optional[Tensor], Tensor]:
        """Int64 labels, and defaults."""
        if embeddings.dim() != 4 or embeddings.size(1) != self.embed_dims:
            raise ValueError(
                f'`embeddings` must have shape (V, {self.embed_dims}, h, w), '
                f'got {tuple(embeddings.shape)}')
        views, _, height, width = embeddings.shape
        if segments is not None:
            segments = _integers('segments', segments, (views, height, width))
        if image_index is None:
            image_index = torch.arange(views, device=embeddings.device)
        return segments, _integers('image_index', image_index, (views, ))


def _integers(name: str, labels: Tensor, shape: Tuple[int, ...]) -> Tensor:
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(f'`{name}` must hold integers, got {labels.dtype}')
    if labels.shape != shape:
        raise ValueError(f'`{name}` must have shape {shape}, as the '
                         f'embeddings have, got {tuple(labels.shape)}')
    return labels.long()


def _check_grid(sides: Tuple[int, int]) -> None:
    if not isinstance(sides, Sequence) or len(sides) != 2 or min(sides) < 1:
        raise ValueError('`kmeans_clusters` must be two numbers of at least '
                         f'1, (K_h, K_w), got {sides!r}')


def _check_at_least(least: int, **numbers: float) -> None:
    for name, value in numbers.items():
        if not value >= least:
            raise ValueError(
                f'`{name}` must be at least {least}, got {value}')
