"""Goodness of a soft grouping on the graph of an image's segments."""

from typing import Optional

from torch import Tensor, nn

from mmhierseg._base.gathering import mean_count
from mmhierseg.ops import collapse_loss, modularity_loss
from mmhierseg.registry import MODELS


@MODELS.register_module()
class DMoNLoss(nn.Module):
    """Modularity and collapse, averaged over the images of all processes.

    DMoN (Tsitsulin et al., 2020) as HSG (Ke et al., CVPR 2022) has it: see
    :func:`mmhierseg.ops.modularity_loss` and
    :func:`mmhierseg.ops.collapse_loss`.

    Args:
        loss_weight (float): Weight of both. Defaults to 1.
        collapse_weight (float): Weight of the collapse term beside the
            modularity. Defaults to 1.
    """

    def __init__(self,
                 loss_weight: float = 1.,
                 collapse_weight: float = 1.) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.collapse_weight = collapse_weight

    def forward(self,
                assignment: Tensor,
                adjacency: Tensor,
                padding: Optional[Tensor] = None) -> Tensor:
        """Compute the loss.

        Args:
            assignment (Tensor): (B, L, K) float in [0, 1], segments in rows.
                For the collapse term, L must be the same in all processes.
            adjacency (Tensor): (B, n, n), see
                :func:`mmhierseg.ops.knn_adjacency`; n at most L. Segments
                after the n-th have no edges.
            padding (Tensor, optional): (B, L) bool, True where there is no
                segment. Defaults to None: there is one everywhere.

        Returns:
            Tensor: Scalar.

        Raises:
            ValueError: If shapes do not fit.
        """
        if padding is not None and padding.shape == assignment.shape[:2]:
            # Once for both; what does not fit is told by the functions.
            assignment = assignment.masked_fill(padding[..., None], 0)
            padding = None
        loss = modularity_loss(assignment[:, :adjacency.size(-1)], adjacency,
                               padding)
        collapse = collapse_loss(assignment, padding)
        loss = (loss + self.collapse_weight * collapse).sum()
        divisor = mean_count(len(assignment))
        return self.loss_weight * loss / divisor

    def extra_repr(self) -> str:
        """Options, for the print of a model."""
        return (f'loss_weight={self.loss_weight}, '
                f'collapse_weight={self.collapse_weight}')
