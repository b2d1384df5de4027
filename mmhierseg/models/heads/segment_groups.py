"""What HSG's head passes on: segments of views, and groups of segments.

Legend: V views, B images, P pixels that have a segment, N segments of the
batch, L segments of an image (padded), K_1 fine and K_2 coarse groups, D
channels, h x w pixels of the embedding. Labels are int64, -1 = none.
"""

from typing import NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from mmhierseg.ops import (
    SegmentSequences,
    batch_prototypes,
    cluster_views,
    cut_clusters,
    look_up_parents,
    select_pixels,
)
from mmhierseg.structures import SegmentHierarchy


class ViewSegments(NamedTuple):
    """Segments of all views of a batch, G_0."""

    labels: Tensor
    """(V, h, w) in [-1, N - 1]: segment of each pixel."""

    views: Tensor
    """(N,) view of each segment."""

    regions: Tensor
    """(N,) region of the over-segmentation that each segment is in."""

    pixels: Tensor
    """(P, D) embeddings of unit length."""

    own: Tensor
    """(P,) segment of each of these pixels."""

    prototypes: Tensor
    """(N, D) of unit length."""


def segment_views(embeddings: Tensor, segments: Optional[Tensor],
                  kmeans_clusters: Tuple[int, int],
                  kmeans_iterations: int) -> ViewSegments:
    """Segments: clusters of each view, cut by the over-segmentation.

    Args:
        embeddings (Tensor): (V, D, h, w) float, of any length.
        segments (Tensor, optional): (V, h, w) int64, the over-segmentation,
            negative = ignored. None: nothing is cut or ignored.
        kmeans_clusters (Tuple[int, int]): (K_h, K_w).
        kmeans_iterations (int): Iterations.

    Returns:
        ViewSegments: With gradients to the embeddings.
    """
    ignored = None if segments is None else segments < 0
    clusters = cluster_views(embeddings, kmeans_clusters, kmeans_iterations,
                             ignored)
    cut = cut_clusters(clusters, segments)
    pixels, own = select_pixels(embeddings, cut.labels)
    return ViewSegments(
        labels=cut.labels,
        views=cut.views,
        regions=cut.regions,
        pixels=pixels,
        own=own,
        prototypes=batch_prototypes(pixels, own, len(cut.views)))


class SegmentGroups(NamedTuple):
    """Soft groups of the segments of each image, and where these are.

    Images are in the order of their numbers.
    """

    fine: Tensor
    """(B, K_1, L), P_1: of each segment, sums to 1 over groups; meaningless
    where padded."""

    fine_to_coarse: Tensor
    """(B, K_2, K_1), C: of each fine group, sums to 1 over coarse ones."""

    coarse: Tensor
    """(B, K_2, L), P_2 = C P_1."""

    fine_centroids: Tensor
    """(B, K_1, D)."""

    coarse_centroids: Tensor
    """(B, K_2, D)."""

    padding: Tensor
    """(B, L) bool."""

    labels: Tensor
    """(V, h, w) in [-1, L - 1]: segment of each pixel in its image."""

    images: Optional[Tensor] = None
    """(V,) in [0, B - 1]: image of each view."""

    def hierarchy(self) -> SegmentHierarchy:
        """Nested levels: segments, fine groups, coarse groups.

        The coarse group of a segment is that of its fine group, argmax C.
        """
        fine = self.fine.argmax(dim=1).masked_fill(self.padding, -1)
        coarse = self.fine_to_coarse.argmax(dim=1)
        return SegmentHierarchy(self.labels,
                                [fine[self.images], coarse[self.images]])


def labels_in_images(labels: Tensor, sequences: SegmentSequences) -> Tensor:
    """Number the segments of each pixel within its image.

    Args:
        labels (Tensor): (V, h, w) int64 in [-1, N - 1].
        sequences (SegmentSequences): Where the N segments are.

    Returns:
        Tensor: (V, h, w) int64 in [-1, L - 1].
    """
    if not len(sequences.slots):
        return torch.full_like(labels, -1)
    places = sequences.slots % sequences.padding.size(1)
    table = places.expand(len(labels), -1)
    return look_up_parents(table, labels)
