"""Segments of a whole batch: cutting clusters, and sequences of segments.

HSG (Ke et al., CVPR 2022, Sec. 3): the clusters of each view are cut by an
over-segmentation, so that a segment is one cluster within one region of one
view. The segments of all views of an image form one padded sequence.

Legend: V views, h x w pixels, N segments of the batch, B images, L length of
the sequences, C channels. Labels are int64, -1 = none.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .checks import check_at_least_1, check_dtype, check_shape
from .label_maps import joint_labels


class BatchSegments(NamedTuple):
    """Segments of a batch, in the order view, region, cluster."""

    labels: Tensor
    """(V, h, w) int64 in [-1, N - 1], segment of each pixel."""
    views: Tensor
    """(N,) int64 in [0, V - 1], view of each segment, ascending."""
    regions: Tensor
    """(N,) int64, its region in the over-segmentation (0 without one)."""
    clusters: Tensor
    """(N,) int64, its cluster."""


class SegmentSequences(NamedTuple):
    """Places of the segments of a batch in the sequences of its images."""

    slots: Tensor
    """(N,) int64 in [0, B L - 1], place of each segment."""
    images: Tensor
    """(N,) int64 in [0, B - 1], rank of the id of each segment's image."""
    views: Tensor
    """(B, L) int64 in [-1, V - 1], view at each place."""
    padding: Tensor
    """(B, L) bool, True where there is no segment."""
    longest: int
    """Length of the longest sequence, at least 1."""

    def pad(self, rows: Tensor) -> Tensor:
        """Segment rows (N, C) as zero-padded sequences (B, L, C)."""
        batch, length = self.padding.shape
        sequences = rows.new_zeros(batch * length, rows.size(1))
        sequences.index_copy_(0, self.slots, rows)
        return sequences.view(batch, length, -1)

    def unpad(self, sequences: Tensor) -> Tensor:
        """Sequences (B, L, ...) as segment rows (N, ...)."""
        return sequences.flatten(0, 1)[self.slots]


def cut_clusters(clusters: Tensor,
                 regions: Tensor | None = None) -> BatchSegments:
    """Cut the clusters of each view by the regions of an over-segmentation.

    Args:
        clusters (Tensor): (V, h, w) int64, see :func:`cluster_views`; negative
            values mean none.
        regions (Tensor, optional): (V, h, w) int64, arbitrary ids; negative
            values mean none. By default nothing is cut.

    Returns:
        BatchSegments: Pixels without a cluster or a region have no segment; N
        may be 0.
    """
    if regions is None:
        regions = torch.where(clusters < 0, clusters, 0)
    check_dtype(torch.int64, clusters=clusters, regions=regions)
    check_shape(clusters.shape, regions=regions)
    valid = (clusters >= 0) & (regions >= 0)
    views = torch.arange(
        clusters.size(0), device=clusters.device)[:, None, None]
    members = [
        labels[valid]
        for labels in (views.expand_as(clusters), regions, clusters)
    ]
    index, number = joint_labels(*members)
    labels = torch.full_like(clusters, -1)
    labels[valid] = index
    # All pixels of a segment write the same.
    return BatchSegments(labels, *(
        index.new_empty(number).index_put((index, ), member)
        for member in members))


def segment_sequences(views: Tensor,
                      image_index: Tensor,
                      pad_length: int | None = None) -> SegmentSequences:
    """Order the segments of a batch into sequences.

    Images are in the order of their ids, segments of an image in the order of
    their views and, within a view, in that of the batch.

    Args:
        views (Tensor): (N,) int64 in [0, V - 1], view of each segment.
        image_index (Tensor): (V,) int64, image of each view, arbitrary ids;
            views of an image need not be neighbours.
        pad_length (int, optional): Smallest L; longer sequences are kept
            whole. By default L is the length of the longest (at least 1).

    Returns:
        SegmentSequences: An image without segments consists of padding.
    """
    check_at_least_1(pad_length=1 if pad_length is None else pad_length)
    image_of_view, batch = joint_labels(image_index)
    images = image_of_view[views]
    counts = torch.bincount(images, minlength=batch)
    longest = max(int(counts.max()), 1)
    length = max(longest, pad_length or 1)
    # Two stable sorts: by image, and by view within one.
    order = views.argsort(stable=True)
    order = order[images[order].argsort(stable=True)]
    first = counts.cumsum(0) - counts
    rank = torch.arange(len(views), device=views.device)
    slots = torch.empty_like(views)
    slots[order] = rank + (images * length - first[images])[order]
    view_at = views.new_full((batch * length, ), -1)
    view_at[slots] = views
    view_at = view_at.view(batch, length)
    return SegmentSequences(slots, images, view_at, view_at < 0, longest)
