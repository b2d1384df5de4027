"""Segments of one level of a hierarchy, and their prototypes.

Legend: B images, N segments that have embeddings, M segments of the level, D
channels, H x W pixels. Labels are int64, -1 = none.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmhierseg._base.errors import UserError
from mmhierseg.ops import (
    look_up_parents,
    segment_prototypes,
    segment_sizes,
)
from mmhierseg.structures import SegmentHierarchy

from ..heads.segment_embedder import SegmentEmbeddings
from ..utils import SegmentKMeans

__all__ = [
    'LevelSegments', 'check_level', 'segments_of_level', 'without_padding'
]


class LevelSegments(NamedTuple):
    """Segments of a level in a batch of images."""

    maps: Tensor
    """(B, H, W) int64 in [-1, M - 1]."""

    prototypes: Tensor
    """(B, M, D), of unit length."""

    known: Tensor
    """(B, M) bool: segments that have a prototype."""

    hierarchy: SegmentHierarchy
    """All levels."""


def segments_of_level(output: SegmentEmbeddings,
                      data_samples: Sequence[BaseDataElement],
                      level: int,
                      kmeans: SegmentKMeans | None = None) -> LevelSegments:
    """Segments of a level, with the means of their embeddings.

    Pixels that the data samples declare to be padding have no segment.
    ``kmeans`` computes the only level above the finest, in place of those of
    ``output``.
    """
    embeddings, parents = output.embeddings, output.hierarchy.parents
    labels = without_padding(output.hierarchy.labels, data_samples)
    sizes = segment_sizes(labels, embeddings.size(1))
    empty = sizes == 0
    if output.empty is not None:
        empty = empty | output.empty
    if kmeans is not None:
        parents = [kmeans(embeddings, labels, empty)]
    hierarchy = SegmentHierarchy(labels, parents)
    check_level(level, hierarchy.num_levels)
    if level % hierarchy.num_levels == 0:
        # Includes segments beyond the last one that has a pixel.
        assignment = torch.arange(
            embeddings.size(1), device=labels.device).expand_as(sizes)
    else:
        assignment = hierarchy.assignment(level)
    num_segments = max(int(assignment.max()) + 1, 1)
    prototypes = segment_prototypes(embeddings, sizes, assignment,
                                    num_segments, empty)
    return LevelSegments(
        look_up_parents(assignment, labels), prototypes,
        prototypes.abs().amax(dim=2) > 0, hierarchy)


def check_level(level: int, num_levels: int) -> None:
    """Check that a hierarchy has a level; negative ones count from the end."""
    if not -num_levels <= level < num_levels:
        raise UserError(
            f'`level` is {level}, but the hierarchy has {num_levels} levels, '
            f'0 (fine) to {num_levels - 1} (coarse)')


def without_padding(labels: Tensor,
                    data_samples: Sequence[BaseDataElement]) -> Tensor:
    """Copy (B, H, W) labels, with -1 where the preprocessor has padded."""
    labels = labels.clone()
    height, width = labels.shape[1:]
    for image, sample in zip(labels, data_samples):
        metainfo = sample.metainfo
        left, right, top, bottom = metainfo.get(
            'img_padding_size', metainfo.get('padding_size', (0, 0, 0, 0)))
        image[:top] = image[height - bottom:] = -1
        image[:, :left] = image[:, width - right:] = -1
    return labels
