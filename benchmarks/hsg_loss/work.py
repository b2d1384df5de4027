"""The package's k-means, contrast and grouping, as HSG's head calls them."""

import torch
from torch import Tensor

from mmhierseg.models import (
    CentroidContrastLoss,
    DMoNLoss,
    PixelSegmentContrastLoss,
)
from mmhierseg.ops import cluster_views, knn_adjacency

from .batch import GRID, ITERATIONS, KAPPA, NEIGHBOURS, Batch, split_centroids

__all__ = ['contrast', 'grouping', 'kmeans']


def kmeans(batch: Batch) -> Tensor:
    """Clusters of the pixels of each view.

    Args:
        batch (Batch): The batch.

    Returns:
        Tensor: (V, h, w) int64.
    """
    return cluster_views(batch.embeddings, GRID, ITERATIONS)


def contrast(batch: Batch) -> Tensor:
    """Contrasts of pixels with segments, by the labels of three levels.

    Args:
        batch (Batch): The batch.

    Returns:
        Tensor: (3,).
    """
    views = batch.views
    return PixelSegmentContrastLoss(KAPPA)(views.pixels, views.own,
                                           views.prototypes, batch.labels)


def grouping(batch: Batch) -> Tensor:
    """Modularity, collapse and contrast of centroids, of both levels.

    Args:
        batch (Batch): The batch.

    Returns:
        Tensor: (4,): modularity and collapse of the fine and the coarse
        groups, and contrast of their centroids.
    """
    sequences = batch.sequences
    places = slice(sequences.longest)
    adjacency = knn_adjacency(
        sequences.pad(batch.views.prototypes)[:, places], NEIGHBOURS,
        sequences.padding[:, places], sequences.views[:, places])
    dmon, centroid_contrast = DMoNLoss(), CentroidContrastLoss(KAPPA)
    losses = [
        dmon(logits.softmax(dim=1).transpose(1, 2), adjacency,
             sequences.padding) for logits in (batch.fine, batch.coarse)
    ] + [centroid_contrast(part) for part in split_centroids(batch)]
    return torch.stack(losses)
