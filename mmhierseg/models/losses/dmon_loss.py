"""Quality of a soft grouping on the graph of an image's segments."""

from torch import Tensor, nn

from mmhierseg._base.gathering import mean_count
from mmhierseg.ops import collapse_loss, modularity_loss
from mmhierseg.registry import MODELS


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
