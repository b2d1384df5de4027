"""Losses of HSG over the segments and groups of all processes."""

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, nn

from mmhierseg._base.gathering import (
    gather_rows,
    gather_rows_with_grad,
    mean_count,
)
from mmhierseg.ops import (
    centroid_contrast,
    collapse_loss,
    joint_labels,
    modularity_loss,
    pixel_segment_contrast,
)
from mmhierseg.registry import MODELS


class _ContrastLoss(nn.Module):
    """Options of both contrasts."""

    def __init__(self,
                 concentration: float = 16.,
                 loss_weight: float = 1.,
                 local_means: bool = False) -> None:
        super().__init__()
        if not concentration > 0:
            raise ValueError(
                f'`concentration` must be above 0, got {concentration}')
        self.concentration = concentration
        self.loss_weight = loss_weight
        self.local_means = local_means


@MODELS.register_module()
class PixelSegmentContrastLoss(_ContrastLoss):
    """Contrast of pixels with segment prototypes, gathered with gradients.

    The loss of SegSort (Hwang et al., ICCV 2019) for one set of labels, that
    of HSG (Ke et al., CVPR 2022) for several: see
    :func:`mmhierseg.ops.pixel_segment_contrast`. Averaged over processes, as
    DistributedDataParallel does, loss and gradients equal those of a single
    process with all images.

    Args:
        concentration (float): kappa > 0, the scale of the cosines; else
            ValueError. Defaults to 16.
        loss_weight (float): Defaults to 1.
        local_means (bool): Whether each process averages over its own
            pixels, as in the authors' code. Defaults to False.
    """

    def forward(self, pixels: Tensor, segments: Tensor, prototypes: Tensor,
                labels: Tensor) -> Tensor:
        """Compute the loss. All processes must call it together.

        Args:
            pixels (Tensor): (P, D) float, of unit length.
            segments (Tensor): (P,) int64 in [0, N - 1], segment of each pixel.
            prototypes (Tensor): (N, D) float, of unit length, those of this
                process. Must require a gradient if it does in any process.
            labels (Tensor): (N,) int64, arbitrary label of each prototype, or
                (L, N), several sets, as many in all processes. Equal labels
                of different processes are distinct.

        Returns:
            Tensor: Scalar, or (L,); zero, attached to the graph, where this
            process has no pixel.
        """
        everything, first = gather_rows_with_grad(prototypes)
        return self.loss_weight * pixel_segment_contrast(
            pixels, segments + first, everything, _gather_labels(labels),
            self.concentration, mean_count(len(pixels), self.local_means))


@MODELS.register_module()
class CentroidContrastLoss(_ContrastLoss):
    """Cross-entropy of each centroid against all, gathered with gradients.

    HSG (Ke et al., CVPR 2022): see :func:`mmhierseg.ops.centroid_contrast`.

    Args:
        concentration (float): kappa > 0, the scale of the cosines; else
            ValueError. Defaults to 16.
        loss_weight (float): Defaults to 1.
        local_means (bool): Whether each process averages over its own
            centroids, as in the authors' code. Defaults to False.
    """

    def forward(self, centroids: Tensor) -> Tensor:
        """Scalar loss of (B, K, D) centroids of one level, of any length.

        All processes must call it together.
        """
        centroids = centroids.flatten(0, 1)
        everything, first = gather_rows_with_grad(centroids)
        loss = centroid_contrast(centroids, everything, first,
                                 self.concentration).sum()
        return self.loss_weight * loss / mean_count(
            len(centroids), self.local_means)


@MODELS.register_module()
class DMoNLoss(nn.Module):
    """Modularity and collapse, averaged over the images of all processes.

    DMoN (Tsitsulin et al., 2020) as used by HSG (Ke et al., CVPR 2022): see
    :func:`mmhierseg.ops.modularity_loss` and
    :func:`mmhierseg.ops.collapse_loss`.

    Args:
        loss_weight (float): Weight of both terms. Defaults to 1.
        local_means (bool): Whether each process averages over its own images.
            Defaults to False.
    """

    def __init__(self,
                 loss_weight: float = 1.,
                 local_means: bool = False) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.local_means = local_means

    def forward(self,
                assignment: Tensor,
                adjacency: Tensor,
                padding: Tensor | None = None) -> Tensor:
        """Compute the loss. All processes must call it together.

        Args:
            assignment (Tensor): (B, L, K) float in [0, 1], segments in rows.
                L must be the same in all processes for the collapse term.
            adjacency (Tensor): (B, n, n) with n at most L, see
                :func:`mmhierseg.ops.knn_adjacency`. Segments after the n-th
                have no edges.
            padding (Tensor, optional): (B, L) bool, True where there is no
                segment. Defaults to None: no padding.

        Returns:
            Tensor: Scalar.
        """
        if padding is not None:
            assignment = assignment.masked_fill(padding[..., None], 0)
        modularity = modularity_loss(assignment[:, :adjacency.size(-1)],
                                     adjacency)
        loss = (modularity + collapse_loss(assignment)).sum()
        return self.loss_weight * loss / mean_count(
            len(assignment), self.local_means)


def _gather_labels(labels: Tensor) -> Tensor:
    """Labels of the prototypes of all processes, distinct across processes."""
    if get_world_size() == 1:
        return labels
    columns = labels.t() if labels.dim() == 2 else labels[:, None]
    rank = torch.full_like(columns[:, :1], get_rank())
    rank, *columns = gather_rows(torch.cat([rank, columns], dim=1)).t()
    distinct = [joint_labels(rank, names)[0] for names in columns]
    return torch.stack(distinct) if labels.dim() == 2 else distinct[0]
