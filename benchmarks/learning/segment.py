"""Segmentations by a model that has learned without labels.

CAST has a hierarchy of its own; features of the others are clustered, image
by image, into as many segments.

Legend: B images, N tokens, C channels, H x W pixels.
"""

import warnings
from typing import List, Optional, Sequence

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmhierseg.models import CAST
from mmhierseg.ops import look_up_parents

__all__ = ['cluster', 'segment', 'segment_by_colour']

_RESTARTS, _ITERATIONS = 4, 20


def cluster(points: np.ndarray, num_clusters: int) -> np.ndarray:
    """K-means, the best of a few that begin with k-means++.

    Args:
        points (np.ndarray): (N, C).
        num_clusters (int): K; fewer clusters where there are fewer points.

    Returns:
        np.ndarray: (K, C) centres.
    """
    points = points.astype(np.float64)
    best, least = points[:1], np.inf
    for seed in range(_RESTARTS):
        with warnings.catch_warnings():
            # That a cluster is empty: it stays where it was.
            warnings.simplefilter('ignore')
            centers, labels = kmeans2(
                points,
                min(num_clusters, len(points)),
                iter=_ITERATIONS,
                minit='++',
                rng=seed)
        error = ((points - centers[labels])**2).sum()
        if error < least:
            best, least = centers, error
    return best


@torch.no_grad()
def segment(backbone: nn.Module, images: Tensor,
            sizes: Sequence[int]) -> List[Tensor]:
    """Segment a batch of images into ever fewer segments.

    Args:
        backbone (nn.Module): CAST, or a backbone whose ``out_type``
            'featmap' is a map of features (B, C, h, w).
        images (Tensor): (B, 3, H, W), normalised.
        sizes (Sequence[int]): Numbers of segments, those of CAST's levels.

    Returns:
        List[Tensor]: One (B, H, W) int64 for each.
    """
    if not isinstance(backbone, CAST):
        return _segment_map(_feature_map(backbone, images), images, sizes)
    output = backbone.forward_hierarchy(images)
    if output.hierarchy.num_levels > 1:
        return [
            output.hierarchy.label_map(level)
            for level in range(1, 1 + len(sizes))
        ]
    return _segment_tokens(output.tokens[-1], output.empty[-1],
                           output.hierarchy.labels, sizes)


def segment_by_colour(images: Tensor, maps: Tensor,
                      sizes: Sequence[int]) -> List[Tensor]:
    """Cluster the mean colours of superpixels: what needs no learning.

    Args:
        images (Tensor): (B, 3, H, W).
        maps (Tensor): (B, H, W) int64, superpixels.
        sizes (Sequence[int]): Numbers of segments.

    Returns:
        List[Tensor]: One (B, H, W) int64 for each.
    """
    num = int(maps.max()) + 1
    one_hot = nn.functional.one_hot(maps.flatten(1), num).to(images.dtype)
    sums = one_hot.transpose(1, 2) @ images.flatten(2).transpose(1, 2)
    areas = one_hot.sum(1)
    colours = sums / areas.clamp(min=1)[..., None]
    return _segment_tokens(colours, areas == 0, maps, sizes)


def _feature_map(backbone: nn.Module, images: Tensor) -> Tensor:
    out_type, backbone.out_type = backbone.out_type, 'featmap'
    try:
        return backbone(images)[-1]
    finally:
        backbone.out_type = out_type


def _segment_map(features: Tensor, images: Tensor,
                 sizes: Sequence[int]) -> List[Tensor]:
    """Cluster the cells, and give each pixel to the nearest centre."""
    pixels = interpolate(
        features, images.shape[2:], mode='bilinear', align_corners=False)
    pixels = pixels.flatten(2).transpose(1, 2).double()
    cells = features.flatten(2).transpose(1, 2).numpy()
    maps = []
    for size in sizes:
        centers = [torch.from_numpy(cluster(c, size)) for c in cells]
        labels = torch.stack([
            torch.cdist(p, c).argmin(dim=1) for p, c in zip(pixels, centers)
        ])
        maps.append(labels.view(-1, *images.shape[2:]))
    return maps


def _segment_tokens(tokens: Tensor, empty: Optional[Tensor], labels: Tensor,
                    sizes: Sequence[int]) -> List[Tensor]:
    """Cluster segments' tokens, and give pixels their segment's cluster."""
    maps = []
    for size in sizes:
        parents = []
        for x, none in zip(tokens.double(), empty):
            centers = torch.from_numpy(cluster(x[~none].numpy(), size))
            parents.append(torch.cdist(x, centers).argmin(dim=1))
        maps.append(look_up_parents(torch.stack(parents), labels))
    return maps
