"""Contrast of pixels with the segments of all processes."""

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, nn

from mmhierseg._base.gathering import (
    gather_rows,
    gather_rows_with_grad,
    mean_count,
)
from mmhierseg.ops import joint_labels, pixel_segment_contrast
from mmhierseg.registry import MODELS


@MODELS.register_module()
class PixelSegmentContrastLoss(nn.Module):
    """Contrast of pixels with segment prototypes, gathered with gradients.

    This is the loss of SegSort (Hwang et al., ICCV 2019) for one set of
    labels and that of HSG (Ke et al., CVPR 2022) for several: see
    :func:`mmhierseg.ops.pixel_segment_contrast`. Averaged over processes, as
    DistributedDataParallel does, loss and gradients equal those of a single
    process with all images.

    Args:
        concentration (float): kappa, which scales the cosines.
            Defaults to 16.
        loss_weight (float): Defaults to 1.
        block_size (int, optional): Number of similarities held in memory at
            once. Defaults to None: 2**21 on a CPU (8 MiB in float32), 2**24
            elsewhere.

    Raises:
        ValueError: If ``concentration`` is not above 0 or ``block_size`` is
            below 1.
    """

    def __init__(self,
                 concentration: float = 16.,
                 loss_weight: float = 1.,
                 block_size: int | None = None) -> None:
        super().__init__()
        if not concentration > 0:
            raise ValueError(
                f'`concentration` must be above 0, got {concentration}')
        if block_size is not None and block_size < 1:
            raise ValueError(
                f'`block_size` must be at least 1, got {block_size}')
        self.concentration = concentration
        self.loss_weight = loss_weight
        self.block_size = block_size

    def forward(self, pixels: Tensor, segments: Tensor, prototypes: Tensor,
                labels: Tensor) -> Tensor:
        """Compute the loss of one or more sets of labels.

        All processes must call it together, with the same number of sets.

        Args:
            pixels (Tensor): (P, D) float, of unit length.
            segments (Tensor): (P,) int64 in [0, N - 1], the segment that each
                pixel belongs to.
            prototypes (Tensor): (N, D) float, of unit length, those of this
                process. Must require a gradient if it does in any process.
            labels (Tensor): (N,) int64, arbitrary label of each prototype, or
                (L, N), several sets of them. Equal labels in different
                processes are distinct, as they belong to different images.

        Returns:
            Tensor: Scalar, or (L,); zero, attached to the graph, where this
            process has no pixel.

        Raises:
            TypeError, ValueError: As in the function.
        """
        everything, first = gather_rows_with_grad(prototypes)
        return self.loss_weight * pixel_segment_contrast(
            pixels, segments + first, everything, _gather_labels(labels),
            self.concentration, mean_count(len(pixels)), self.block_size)

    def extra_repr(self) -> str:
        """Options, for the representation of a model."""
        return (f'concentration={self.concentration}, '
                f'loss_weight={self.loss_weight}')


def _gather_labels(labels: Tensor) -> Tensor:
    """Labels of the prototypes of all processes, distinct across processes."""
    if get_world_size() == 1:
        return labels
    columns = labels.t() if labels.dim() == 2 else labels[:, None]
    rank = torch.full_like(columns[:, :1], get_rank())
    rank, *columns = gather_rows(torch.cat([rank, columns], dim=1)).t()
    distinct = [joint_labels(rank, names)[0] for names in columns]
    return torch.stack(distinct) if labels.dim() == 2 else distinct[0]
