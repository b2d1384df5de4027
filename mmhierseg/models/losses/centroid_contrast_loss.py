"""Contrast between the group centroids of all processes."""

from torch import Tensor, nn

from mmhierseg._base.gathering import gather_rows_with_grad, mean_count
from mmhierseg.ops import centroid_contrast
from mmhierseg.registry import MODELS


@MODELS.register_module()
class CentroidContrastLoss(nn.Module):
    """Cross-entropy of each centroid against all, gathered with gradients.

    HSG (Ke et al., CVPR 2022): see :func:`mmhierseg.ops.centroid_contrast`.

    Args:
        concentration (float): kappa, which scales the cosines.
            Defaults to 16.
        loss_weight (float): Defaults to 1.

    Raises:
        ValueError: If ``concentration`` is not above 0.
    """

    def __init__(self,
                 concentration: float = 16.,
                 loss_weight: float = 1.) -> None:
        super().__init__()
        if not concentration > 0:
            raise ValueError(
                f'`concentration` must be above 0, got {concentration}')
        self.concentration = concentration
        self.loss_weight = loss_weight

    def forward(self, centroids: Tensor) -> Tensor:
        """Compute the loss. All processes must call it together.

        Args:
            centroids (Tensor): (B, K, D) float, of any length, all of the
                same level.

        Returns:
            Tensor: Scalar.

        Raises:
            ValueError: If ``centroids`` does not have three axes.
        """
        if centroids.dim() != 3:
            raise ValueError('`centroids` must have shape (B, K, D), got '
                             f'{tuple(centroids.shape)}')
        centroids = centroids.flatten(0, 1)
        everything, first = gather_rows_with_grad(centroids)
        loss = centroid_contrast(centroids, everything, first,
                                 self.concentration).sum()
        return self.loss_weight * loss / mean_count(len(centroids))

    def extra_repr(self) -> str:
        """Options, for the representation of a model."""
        return (f'concentration={self.concentration}, '
                f'loss_weight={self.loss_weight}')
