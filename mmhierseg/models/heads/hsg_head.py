"""Head of HSG: unsupervised hierarchical grouping of pixel embeddings.

HSG (Ke et al., CVPR 2022): clustering transformers group k-means segments at
two levels; contrasts of pixels and segments at all levels shape the embedding.

Legend: V views, B images, N segments of the batch, L segments of an image
(padded), D channels, h x w pixels of the embedding.
"""

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
from mmhierseg.ops.checks import check_at_least_1
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentHierarchy

from ..necks import ClusteringTransformer, EmbeddingNeck
from ..utils import LearnedPositions
from .hsg_losses import HSGLosses
from .segment_groups import (
    SegmentGroups,
    ViewSegments,
    check_views,
    kmeans_options,
    labels_in_images,
    segment_views,
)

#: Keys of ``transformer``; they are accepted as keyword arguments, too.
_TRANSFORMER_OPTIONS = {
    'num_heads', 'num_layers', 'feedforward_channels', 'mask_padding',
    'centroid_scale', 'kmeans_init'
}


@MODELS.register_module()
class HSGHead(BaseModule):
    """Segments, fine and coarse groups of them, and the losses of HSG.

    If all weights but ``img_sim_weight`` are zero, as in the first stage on
    COCO, there are no transformers, and the hierarchy has one level.
    ValueError if an option is out of range, TypeError if it is unknown or
    given twice.

    Args:
        in_channels (int): Channels of the features that :meth:`forward`
            takes. If not ``embed_dims``, an :class:`EmbeddingNeck` turns
            them into embeddings.
        embed_dims (int): Channels D of embeddings and transformers.
        kmeans_clusters (tuple[int, int]): (K_h, K_w), grid from which k-means
            of a view starts. Defaults to (4, 4).
        kmeans_iterations (int): Defaults to 15.
        fine_clusters, coarse_clusters (int): Groups of an image at these
            levels. Default to 8 and 4.
        graph_knn (int): Edges per segment in the graph for modularity.
            Defaults to 2.
        graph_within_view (bool): Whether to each view of its image, rather
            than to all together. Defaults to True.
        pad_length (int, optional): Length to which the segments of an image
            are padded; longer sequences are kept. None: the longest of the
            batch, and no padding in evaluation. Defaults to 256.
        img_sim_weight, fine_weight, coarse_weight (float): Weights of L(G_e),
            the contrast by regions of the over-segmentation, L(G_1) and
            L(G_2). Default to 1, 0.1 and 0.1.
        grouping_weight, centroid_weight (float): Weights of modularity and
            collapse, and of the contrast of centroids. Default to 1.
        concentration (float): kappa of all contrasts. Defaults to 16.
        cosegment (bool): Whether the views of an image share regions and
            groups in the losses. With False, as in SegSort, each view is an
            image of its own. Defaults to True.
        local_means (bool): Whether each process averages losses over its own
            pixels and images, and pads to its own longest sequence, as in the
            authors' code. With False, several processes give the same result
            as one. Defaults to False.
        dropout (float): Dropout of the transformers. Defaults to 0.1.
        max_positions (int): Rows and columns with a learned position.
            Defaults to 50.
        position_size (int, optional): Rows and columns of training crops;
            larger maps interpolate. Defaults to None: ``max_positions``.
        transformer (dict, optional): Options of both
            :class:`ClusteringTransformer`: ``num_heads``, ``num_layers``,
            ``feedforward_channels``, ``mask_padding`` (published weights need
            False), ``centroid_scale`` and ``kmeans_init`` (which also starts
            with small positions). Defaults to None.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
        **transformer_options: Keys of ``transformer``, as in old configs.
    """

    def __init__(self,
                 in_channels: int,
                 embed_dims: int,
                 kmeans_clusters: tuple[int, int] = (4, 4),
                 kmeans_iterations: int = 15,
                 fine_clusters: int = 8,
                 coarse_clusters: int = 4,
                 graph_knn: int = 2,
                 graph_within_view: bool = True,
                 pad_length: int | None = 256,
                 img_sim_weight: float = 1.,
                 fine_weight: float = 0.1,
                 coarse_weight: float = 0.1,
                 grouping_weight: float = 1.,
                 centroid_weight: float = 1.,
                 concentration: float = 16.,
                 cosegment: bool = True,
                 local_means: bool = False,
                 dropout: float = 0.1,
                 max_positions: int = 50,
                 position_size: int | None = None,
                 transformer: dict | None = None,
                 init_cfg: dict | None = None,
                 **transformer_options) -> None:
        super().__init__(init_cfg)
        if pad_length is not None:
            check_at_least_1(pad_length=pad_length)
        transformer = dict(**transformer or {}, **transformer_options)
        if unknown := set(transformer) - _TRANSFORMER_OPTIONS:
            raise TypeError(f'HSGHead has no option `{min(unknown)}`')
        self.embed_dims = embed_dims
        self.kmeans = kmeans_options(kmeans_clusters, kmeans_iterations)
        self.pad_length = pad_length
        self.cosegment = cosegment
        self.local_means = local_means
        self.embedding = nn.Identity() if in_channels == embed_dims else (
            EmbeddingNeck(in_channels, embed_dims))
        self.losses = HSGLosses((img_sim_weight, fine_weight, coarse_weight),
                                grouping_weight, centroid_weight,
                                concentration, graph_knn, graph_within_view,
                                local_means)
        self.with_groups = self.losses.needs_groups
        if self.with_groups:
            # K-means compares the appearance of segments, not their place.
            self.positions = LearnedPositions(
                embed_dims, max_positions, position_size,
                init_range=0.1 if transformer.get('kmeans_init') else 1.)
            self.fine_transformer, self.coarse_transformer = (
                ClusteringTransformer(
                    embed_dims, clusters, drop_rate=dropout, **transformer)
                for clusters in (fine_clusters, coarse_clusters))
            # They would feed a level above the coarse one.
            self.coarse_transformer.centroid_feature.requires_grad_(False)
            # Contrasts of pixels depend on the argmax of soft groups only.
            if not self.losses.trains_groups:
                self.requires_grad_(False)
                self.embedding.requires_grad_(True)

    def forward(self, features: Tensor) -> Tensor:
        """Embeddings (V, D, h, w) for the other methods, not normalised."""
        return self.embedding(features)

    def loss_from_embeddings(self, embeddings: Tensor, segments: Tensor,
                             image_index: Tensor) -> dict[str, Tensor]:
        """Losses of a batch of views. All processes must call it together.

        Args:
            embeddings (Tensor): (V, D, h, w) float, before normalisation.
            segments (Tensor): (V, h, w) integers, the over-segmentation, with
                ids that the views of an image share; negative = ignored.
            image_index (Tensor): (V,) integers, image of each view; those of
                different processes are different images.

        Returns:
            dict[str, Tensor]: ``loss_img_sim``, L(G_e); ``loss_hierarchy``,
            L(G_1) + L(G_2); ``loss_clustering``, the quality of the grouping;
            all weighted. They are 0 if every pixel is ignored.

        Raises:
            TypeError, ValueError: If dtypes or shapes are wrong.
        """
        views, image_index = self._segment(embeddings, segments, image_index)
        if not self.cosegment:
            image_index = torch.arange(
                len(image_index), device=image_index.device)
        with torch.autocast(embeddings.device.type, enabled=False):
            groups = sequences = None
            if self.with_groups:
                sequences = self._common_sequences(views.views, image_index)
                groups = self._group(views, sequences)
            return self.losses(views, image_index[views.views], groups,
                               sequences)

    def _common_sequences(self, views: Tensor,
                          image_index: Tensor) -> SegmentSequences:
        """Sequences as long as in all processes, since padding counts."""
        # An image without a segment is left out: its padding would count in
        # the statistics of batch normalisation.
        if len(views):
            seen, views = views.unique_consecutive(return_inverse=True)
            image_index = image_index[seen]
        sequences = segment_sequences(views, image_index, self.pad_length)
        length = sequences.padding.size(1)
        length = max(length, 1) if self.local_means else all_reduce_max(length)
        if length > sequences.padding.size(1):
            sequences = segment_sequences(views, image_index, length)
        return sequences

    @torch.no_grad()
    def hierarchy_from_embeddings(
            self,
            embeddings: Tensor,
            segments: Tensor | None = None,
            image_index: Tensor | None = None,
            **kmeans) -> SegmentHierarchy:
        """Nested segmentations: segments, fine groups, coarse groups.

        The coarse group of a segment is that of its fine group, argmax C.
        Views of an image share the ids of all levels.

        Args:
            embeddings (Tensor): (V, D, h, w) float, before normalisation.
            segments (Tensor, optional): (V, h, w) integers, as in
                :meth:`loss_from_embeddings`. Defaults to None: nothing is cut
                or ignored.
            image_index (Tensor, optional): (V,) integers, image of each view.
                Defaults to None: each view is an image of its own.
            **kmeans: ``kmeans_clusters`` and ``kmeans_iterations`` in place
                of the head's, for larger images.

        Returns:
            SegmentHierarchy: An entry for each view; segments are the only
            level if the head has no transformers.

        Raises:
            TypeError, ValueError: If dtypes or shapes are wrong.
        """
        inputs = (embeddings, segments, image_index)
        if self.with_groups:
            return self.group_probabilities(*inputs, **kmeans).hierarchy()
        views, image_index = self._segment(*inputs, **kmeans)
        sequences = segment_sequences(views.views, image_index)
        return SegmentHierarchy(labels_in_images(views.labels, sequences), [])

    def group_probabilities(self,
                            embeddings: Tensor,
                            segments: Tensor | None = None,
                            image_index: Tensor | None = None,
                            **kmeans) -> SegmentGroups:
        """Soft groups of the segments of each image: P_1, C and P_2.

        The arguments are those of :meth:`hierarchy_from_embeddings`; the
        result has gradients. RuntimeError if the head has no transformers.
        """
        if not self.with_groups:
            raise RuntimeError(
                'the head has no groups: its weights of all losses above the '
                'segments are 0')
        views, image_index = self._segment(embeddings, segments, image_index,
                                           **kmeans)
        sequences = segment_sequences(views.views, image_index,
                                      self.pad_length)
        with torch.autocast(embeddings.device.type, enabled=False):
            groups = self._group(views, sequences)
        return groups._replace(images=joint_labels(image_index)[0])

    def _segment(self, embeddings: Tensor, segments: Tensor | None,
                 image_index: Tensor | None, **kmeans
                 ) -> tuple[ViewSegments, Tensor]:
        """Segments, and the image of each view."""
        segments, image_index = check_views(embeddings, segments, image_index,
                                            self.embed_dims)
        with torch.autocast(embeddings.device.type, enabled=False):
            return segment_views(embeddings, segments,
                                 **{**self.kmeans, **kmeans}), image_index

    def _group(self, views: ViewSegments,
               sequences: SegmentSequences) -> SegmentGroups:
        padding, num_padding = sequences.padding, None
        if not (self.training or self.fine_transformer.mask_padding):
            # Padding counts in the statistics as much as if each image were
            # alone, so that results do not depend on the batch.
            num_padding = ((self.pad_length or 0)
                           - (~padding).sum(dim=1)).clamp(min=0)
        encoding = self.positions(*views.labels.shape[1:])
        positions = sequences.pad(
            segment_positions(encoding, views.labels, len(views.views)))
        fine = self.fine_transformer(
            sequences.pad(views.prototypes), positions, padding,
            num_padding, sequences.longest)
        probability = fine.logits.softmax(dim=1)
        # Every segment counts once, whatever its size.
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
