"""Views with segments, that tests of HSG's parts share."""

import torch

from mmhierseg.ops import batch_prototypes, cut_clusters, select_pixels


def views_with_regions():
    """Embeddings (4, 6, 5, 7) float64, clusters and regions (4, 5, 7).

    Some pixels have none of the two; the last view has fewer regions.
    """
    torch.manual_seed(0)
    embeddings = torch.randn(4, 6, 5, 7, dtype=torch.float64)
    labels = torch.randint(0, 4, (4, 5, 7))
    labels[-1] = labels[-1].clamp(max=1)
    labels = 1000 * labels + 7
    labels[torch.rand(labels.shape) < .2] = -1
    clusters = torch.randint(-1, 3, labels.shape)
    return embeddings, clusters, labels


def segment_rows(embeddings, clusters, regions):
    """(pixels, their segments, prototypes, all about the segments)."""
    parts = cut_clusters(clusters, regions)
    pixels, segments = select_pixels(embeddings, parts.labels)
    prototypes = batch_prototypes(pixels, segments, len(parts.views))
    return pixels, segments, prototypes, parts
