"""Segments of a whole batch: cutting, prototypes, means.

HSG (Ke et al., CVPR 2022, Sec. 3): the clusters of each view are cut by an
over-segmentation, so that a segment is one cluster within one region of one
view. Segments are numbered over the batch, for each is compared with all.

Unlike :func:`segment_prototypes`, which is given (B, M) tables for retrieval,
nothing here is padded: pixels and segments of all views are rows.

Legend: V views, D channels, h x w pixels, P pixels that have a segment,
N segments of the batch. Labels are int64, -1 = none.
"""

from typing import NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .label_maps import joint_labels


class BatchSegments(NamedTuple):
    """Segments of a batch, in the order view, region, cluster."""

    labels: Tensor
    """(V, h, w) int64 in [-1, N - 1]: segment of each pixel, all in use."""

    views: Tensor
    """(N,) int64 in [0, V - 1]: view of each segment, never falling."""

    regions: Tensor
    """(N,) int64: region that each segment lies in, by its number in the
    over-segmentation (0 without one)."""

    clusters: Tensor
    """(N,) int64: cluster of each segment, by its number in its view."""


def cut_clusters(clusters: Tensor,
                 regions: Optional[Tensor] = None) -> BatchSegments:
    """Cut the clusters of each view by the regions of an over-segmentation.

    Args:
        clusters (Tensor): (V, h, w) int64, see :func:`cluster_views`; a
            negative value means none.
        regions (Tensor, optional): (V, h, w) int64, of any numbers; a
            negative value means none. Defaults to None: nothing is cut.

    Returns:
        BatchSegments: Pixels without a cluster or a region have no segment.
        There may be no segments at all (N = 0).

    Raises:
        TypeError: If a map is not int64.
        ValueError: If shapes do not fit.

    Example:
        >>> clusters = torch.tensor([[[0, 0, 1]], [[1, 1, -1]]])
        >>> regions = torch.tensor([[[7, 9, 9]], [[9, 9, 9]]])
        >>> cut_clusters(clusters, regions).labels
        tensor([[[ 0,  1,  2]],
        <BLANKLINE>
                [[ 3,  3, -1]]])
    """
    if regions is None:
        regions = torch.where(clusters < 0, clusters, 0)
    for name, labels in (('clusters', clusters), ('regions', regions)):
        if labels.dtype != torch.int64:
            raise TypeError(f'`{name}` must be int64, got {labels.dtype}')
        if labels.dim() != 3:
            raise ValueError(f'`{name}` must have shape (V, h, w), got '
                             f'{tuple(labels.shape)}')
    if regions.shape != clusters.shape:
        raise ValueError(
            '`regions` must be of the size of the embeddings and clusters, '
            f'{tuple(clusters.shape)}, got {tuple(regions.shape)}: take the '
            'map there by nearest neighbour')
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
    of_segments = (
        index.new_empty(number).index_put((index, ), member)
        for member in members)
    return BatchSegments(labels, *of_segments)


def select_pixels(embeddings: Tensor,
                  labels: Tensor) -> Tuple[Tensor, Tensor]:
    """Embeddings of unit length of the pixels that have a segment.

    The others are left out before anything is computed: not even NaN there
    comes through, nor back.

    Args:
        embeddings (Tensor): (V, D, h, w) float. Half precision is taken to
            float32.
        labels (Tensor): (V, h, w) int64, -1 = none.

    Returns:
        Tuple[Tensor, Tensor]: Embeddings (P, D), and the segments of the
        pixels, (P,) int64, in the order view, row, column.

    Raises:
        ValueError: If shapes do not fit.
    """
    size = (embeddings.size(0), *embeddings.shape[2:])
    if embeddings.dim() != 4 or labels.shape != size:
        raise ValueError(
            '`embeddings` and `labels` must have shapes (V, D, h, w) and '
            f'(V, h, w), got {tuple(embeddings.shape)} and '
            f'{tuple(labels.shape)}')
    valid = labels >= 0
    dtype = torch.promote_types(embeddings.dtype, torch.float32)
    pixels = embeddings.permute(0, 2, 3, 1)[valid].to(dtype)
    return F.normalize(pixels, dim=1), labels[valid]


def batch_prototypes(pixels: Tensor, segments: Tensor,
                     num_segments: int) -> Tensor:
    """Normalised sum of the embeddings of each segment, with gradients.

    Args:
        pixels (Tensor): (P, D) float, of unit length.
        segments (Tensor): (P,) int64 in [0, N - 1].
        num_segments (int): N.

    Returns:
        Tensor: (N, D) of unit length, float32 or wider; zero for a segment
        without pixels.

    Example:
        >>> pixels = torch.tensor([[1., 0.], [0., 1.], [-1., 0.]])
        >>> batch_prototypes(pixels, torch.tensor([1, 1, 0]), 2)
        tensor([[-1.0000,  0.0000],
                [ 0.7071,  0.7071]])
    """
    return F.normalize(_sums(pixels, segments, num_segments), dim=1)


def mean_over_segments(values: Tensor, segments: Tensor,
                       num_segments: int) -> Tensor:
    """Mean over the pixels of each segment, with gradients.

    Args:
        values (Tensor): (P, C) float.
        segments (Tensor): (P,) int64 in [0, N - 1].
        num_segments (int): N.

    Returns:
        Tensor: (N, C), float32 or wider; zero for a segment without pixels.

    Example:
        >>> mean_over_segments(torch.tensor([[1.], [4.], [2.]]),
        ...                    torch.tensor([1, 1, 0]), 2)
        tensor([[2.0000],
                [2.5000]])
    """
    sizes = torch.bincount(segments, minlength=num_segments)
    sums = _sums(values, segments, num_segments)
    return sums / sizes.clamp(min=1)[:, None]


def segment_positions(encoding: Tensor, labels: Tensor,
                      num_segments: int) -> Tensor:
    """Mean of a positional encoding over the pixels of each segment.

    Args:
        encoding (Tensor): (h, w, D) float, the same for all views.
        labels (Tensor): (V, h, w) int64 in [-1, N - 1].
        num_segments (int): N.

    Returns:
        Tensor: (N, D), float32 or wider; zero for a segment without pixels.

    Raises:
        ValueError: If shapes do not fit.

    Example:
        >>> encoding = torch.tensor([[[1.], [2.], [6.]]])
        >>> labels = torch.tensor([[[0, 0, -1]], [[1, 1, 1]]])
        >>> segment_positions(encoding, labels, 2)
        tensor([[1.5000],
                [3.0000]])
    """
    if encoding.dim() != 3 or encoding.shape[:2] != labels.shape[1:]:
        raise ValueError(
            '`encoding` must have shape (h, w, D), h x w as `labels`, got '
            f'{tuple(encoding.shape)} and {tuple(labels.shape)}')
    valid = (labels >= 0).nonzero()
    return mean_over_segments(encoding[valid[:, 1], valid[:, 2]],
                              labels[valid.unbind(1)], num_segments)


def _sums(values: Tensor, segments: Tensor, num_segments: int) -> Tensor:
    """(N, C) sums; a matrix of zeros and ones would be pixels x segments.

    On a GPU their last bits vary, unless torch is asked to be deterministic.
    """
    dtype = torch.promote_types(values.dtype, torch.float32)
    sums = values.new_zeros(num_segments, values.size(1), dtype=dtype)
    return sums.index_add(0, segments, values.to(dtype))
