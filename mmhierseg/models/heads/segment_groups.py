"""Segments of the views of a batch, and soft groups of the segments.

Legend: V views, B images, P pixels that have a segment, N segments of the
batch, L segments of an image (padded), K_1 fine and K_2 coarse groups, D
channels, h x w pixels of the embedding. Labels are int64, -1 = none.
"""

from collections.abc import Sequence
from typing import NamedTuple

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
from mmhierseg.ops.checks import check_shape
from mmhierseg.structures import SegmentHierarchy


class ViewSegments(NamedTuple):
    """Segments of all views of a batch, G_0."""

    labels: Tensor
    """(V, h, w) in [-1, N - 1]: segment of each pixel."""
    views: Tensor
    """(N,) view of each segment."""
    regions: Tensor
    """(N,) region of the over-segmentation that contains each segment."""
    pixels: Tensor
    """(P, D) embeddings of unit length."""
    own: Tensor
    """(P,) segment of each of these pixels."""
    prototypes: Tensor
    """(N, D) of unit length."""


def segment_views(embeddings: Tensor, segments: Tensor | None,
                  kmeans_clusters: Sequence[int],
                  kmeans_iterations: int) -> ViewSegments:
    """Cluster the pixels of (V, D, h, w) views and cut by (V, h, w) regions.

    Negative regions are ignored; None cuts and ignores nothing.
    """
    ignored = None if segments is None else segments < 0
    clusters = cluster_views(embeddings, kmeans_clusters, kmeans_iterations,
                             ignored)
    cut = cut_clusters(clusters, segments)
    pixels, own = select_pixels(embeddings, cut.labels)
    return ViewSegments(cut.labels, cut.views, cut.regions, pixels, own,
                        batch_prototypes(pixels, own, len(cut.views)))


def kmeans_options(clusters: Sequence[int], iterations: int) -> dict:
    """Check the settings of k-means; they become options by name."""
    if len(clusters) != 2 or min(*clusters, iterations) < 1:
        raise ValueError(
            '`kmeans_clusters` must be two numbers, (K_h, K_w), and they and '
            f'`kmeans_iterations` at least 1, got {clusters} and {iterations}')
    return dict(kmeans_clusters=[*clusters], kmeans_iterations=iterations)


def check_views(embeddings: Tensor, segments: Tensor | None,
                image_index: Tensor | None, embed_dims: int
                ) -> tuple[Tensor | None, Tensor]:
    """Check views; int64 segments and images, by default one per view."""
    shape = embeddings.shape
    if len(shape) != 4 or shape[1] != embed_dims:
        raise ValueError(f'`embeddings` must have shape (V, {embed_dims}, h, '
                         f'w), got {tuple(shape)}')
    if segments is not None:
        segments = _integers('segments', segments, (shape[0], *shape[2:]))
    if image_index is None:
        image_index = torch.arange(shape[0], device=embeddings.device)
    return segments, _integers('image_index', image_index, shape[:1])


def _integers(name: str, labels: Tensor, shape: tuple[int, ...]) -> Tensor:
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(f'`{name}` must hold integers, got {labels.dtype}')
    check_shape(shape, **{name: labels})
    return labels.long()


class SegmentGroups(NamedTuple):
    """Soft groups of the segments of images, in the order of their ids."""

    fine: Tensor
    """(B, K_1, L), P_1: for each segment, sums to 1 over groups; meaningless
    where padded."""
    fine_to_coarse: Tensor
    """(B, K_2, K_1), C: for each fine group, sums to 1 over coarse ones."""
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
    images: Tensor | None = None
    """(V,) in [0, B - 1]: image of each view."""

    def hierarchy(self) -> SegmentHierarchy:
        """Segments, fine groups, and coarse groups, argmax C of the fine."""
        fine = self.fine.argmax(dim=1).masked_fill(self.padding, -1)
        coarse = self.fine_to_coarse.argmax(dim=1)
        return SegmentHierarchy(self.labels,
                                [fine[self.images], coarse[self.images]])


def labels_in_images(labels: Tensor, sequences: SegmentSequences) -> Tensor:
    """Number the segments of (V, h, w) maps, in [-1, L - 1], by image."""
    if not len(sequences.slots):
        return torch.full_like(labels, -1)
    places = sequences.slots % sequences.padding.size(1)
    return look_up_parents(places.expand(len(labels), -1), labels)
