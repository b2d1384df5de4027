"""Contrast of pixels with the segments of all processes."""

from typing import Optional

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

    SegSort (Hwang et al., ICCV 2019) is this loss with one set of labels, HSG
    (Ke et al., CVPR 2022) with several: see
    :func:`mmhierseg.ops.pixel_segment_contrast`. Averaged over processes, as
    DistributedDataParallel does, loss and gradients are those of one process
    that has all images.

    Args:
        concentration (float): kappa, by which cosines are multiplied.
            Defaults to 16.
        loss_weight (float): Defaults to 1.
        block_size (int, optional): Similarities that are in memory at once.
            Defaults to None: 2**21 on a CPU (8 MiB in float32), 2**24
            elsewhere.

    Raises:
        ValueError: If ``concentration`` is not above 0 or ``block_size``
            below 1.
    """

    def __init__(self,
                 concentration: float = 16.,
                 loss_weight: float = 1.,
                 block_size: Optional[int] = None) -> None:
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
            segments (Tensor): (P,) int64 in [0, N - 1], own segment of each
                pixel.
            prototypes (Tensor): (N, D) float, of unit length, those of this
                process. It must need a gradient if it does elsewhere.
            labels (Tensor): (N,) int64, label of each prototype, of any
                numbers; or (L, N), several sets of them. Those of different
                processes are different: an image is in one process.

        Returns:
            Tensor: Scalar, or (L,); zero, attached to the graph, where this
            process has no pixel.

        Raises:
            TypeError, ValueError: As in the function.
        """
        everything, first = gather_rows_with_grad(prototypes)
        return self.loss_weight * pixel_segment_contrast(
            pixels, segments + first, everything, _of_all(labels),
            self.concentration,
            mean_count(len(pixels)), self.block_size)

    def extra_repr(self) -> str:
        """Options, for the print of a model."""
        return (f'concentration={self.concentration}, '
                f'loss_weight={self.loss_weight}')


def _of_all(labels: Tensor) -> Tensor:
    """Labels of the prototypes of all processes, those of each its own."""
    if get_world_size() == 1:
        return labels
    columns = labels.t() if labels.dim() == 2 else labels[:, None]
    rank = torch.full_like(columns[:, :1], get_rank())
    columns = gather_rows(torch.cat([rank, columns], dim=1)).t()
    distinct = [joint_labels(columns[0], names)[0] for names in columns[1:]]
    return torch.stack(distinct) if labels.dim() == 2 else distinct[0]
