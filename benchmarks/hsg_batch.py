"""Random batches as HSG's head has them.

Legend: V views, B images, P pixels, N segments, L segments of an image
(padded), K groups, D channels, h x w pixels of the embedding.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.models.heads.segment_groups import ViewSegments, segment_views
from mmhierseg.ops import SegmentSequences, joint_labels, segment_sequences

__all__ = [
    'GRID', 'ITERATIONS', 'KAPPA', 'NEIGHBOURS', 'Batch', 'make_batch',
    'split_centroids'
]

#: As HSG has them for crops of 448 x 448 pixels of COCO.
GRID, ITERATIONS, KAPPA, NEIGHBOURS = (4, 4), 15, 16., 2
_FINE, _COARSE, _PADDING = 8, 4, 256
#: Side of a view in the image, whose side is 1.
_VIEW = 0.7


class Batch(NamedTuple):
    """Embeddings of views, their segments and groups."""

    embeddings: Tensor
    """(V, D, h, w) float32."""

    views: ViewSegments
    """Segments; ``pixels`` and ``prototypes`` are leaves with gradients."""

    sequences: SegmentSequences
    """Padded sequences of the segments of each image."""

    labels: Tensor
    """(3, N) int64: region, fine and coarse group of each segment."""

    fine: Tensor
    """(B, K_1, L) logits of groups, a leaf with gradients."""

    coarse: Tensor
    """(B, K_2, L), likewise."""

    centroids: Tensor
    """(B, K_1 + K_2, D), likewise."""

    def leaves(self) -> tuple[Tensor, ...]:
        """Tensors that losses have gradients to."""
        return (self.views.pixels, self.views.prototypes, self.fine,
                self.coarse, self.centroids)

    def to(self, device: str) -> 'Batch':
        """A batch on another device, itself if it is there already."""
        return _to(self, device)


def make_batch(num_images: int,
               size: int = 28,
               channels: int = 128,
               num_regions: int = 48,
               seed: int = 0) -> Batch:
    """Make two views of each image.

    Args:
        num_images (int): B; there are V = 2 B views.
        size (int): h and w. Defaults to 28, crops of 448 at stride 16.
        channels (int): D. Defaults to 128.
        num_regions (int): Regions of an image. Defaults to 48.
        seed (int): Seed of the random numbers. Defaults to 0.

    Returns:
        Batch: Its neighbouring pixels are alike, so that k-means gives
        coherent segments, as images do.
    """
    generator = torch.Generator().manual_seed(seed)
    regions = _make_regions(num_images, size, num_regions, generator)
    embeddings = F.interpolate(
        torch.randn(2 * num_images, channels, 6, 6, generator=generator),
        (size, size), mode='bicubic')
    embeddings = embeddings + 0.2 * torch.randn(
        embeddings.shape, generator=generator)
    views = segment_views(embeddings, regions, GRID, ITERATIONS)
    image_index = torch.arange(num_images).repeat(2)
    sequences = segment_sequences(views.views, image_index, _PADDING)
    shape = sequences.padding.shape
    fine, coarse = (
        torch.randn(shape[0], number, shape[1], generator=generator)
        for number in (_FINE, _COARSE))
    names = [views.regions] + [
        sequences.unpad(logits.argmax(dim=1)) for logits in (fine, coarse)
    ]
    labels = torch.stack(
        [joint_labels(name, sequences.images)[0] for name in names])
    centroids = torch.randn(
        num_images, _FINE + _COARSE, channels, generator=generator)
    views = views._replace(
        pixels=views.pixels.detach().requires_grad_(),
        prototypes=views.prototypes.detach().requires_grad_())
    return Batch(embeddings, views, sequences, labels, fine.requires_grad_(),
                 coarse.requires_grad_(), centroids.requires_grad_())


def split_centroids(batch: Batch) -> tuple[Tensor, Tensor]:
    """Centroids of the fine and of the coarse groups.

    Args:
        batch (Batch): The batch.

    Returns:
        tuple[Tensor, Tensor]: (B, K_1, D) and (B, K_2, D).
    """
    return batch.centroids.split((_FINE, _COARSE), dim=1)


def _to(item: Any, device: str) -> Any:
    if isinstance(item, tuple):
        return type(item)(*(_to(part, device) for part in item))
    if not isinstance(item, Tensor):
        return item
    moved = item.detach().to(device)
    return moved.requires_grad_(item.requires_grad)


def _make_regions(num_images: int, size: int, num_regions: int,
                  generator: torch.Generator) -> Tensor:
    """(V, h, w): nearest of some points of the image."""
    points = torch.rand(num_images, num_regions, 2, generator=generator)
    corners = (1 - _VIEW) * torch.rand(
        2 * num_images, 1, 2, generator=generator)
    side = torch.linspace(0, _VIEW, size)
    cells = torch.cartesian_prod(side, side)
    return torch.cdist(cells + corners, points.repeat(2, 1, 1)).argmin(
        dim=2).view(-1, size, size)
