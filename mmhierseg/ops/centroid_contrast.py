"""Contrast of each centroid with all centroids of a batch.

HSG (Ke et al., CVPR 2022, Sec. 3): groups of the same image, and those of
different ones, should have centroids of different directions. Each is a class
of its own.

Legend: M centroids, N of the whole batch, D channels, kappa the
concentration.
"""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor


def centroid_contrast(centroids: Tensor,
                      all_centroids: Optional[Tensor] = None,
                      first: int = 0,
                      concentration: float = 16.) -> Tensor:
    """Cross-entropy of finding each centroid among all, by cosine.

    Args:
        centroids (Tensor): (M, D) float, of any length.
        all_centroids (Tensor, optional): (N, D), those of the whole batch,
            ``centroids`` from row ``first`` on. Defaults to None: these are
            all.
        first (int): See there. Defaults to 0.
        concentration (float): kappa. Defaults to 16.

    Returns:
        Tensor: (M,), float32 or wider, at least 0.

    Raises:
        ValueError: If shapes do not fit.

    Example:
        >>> centroids = torch.tensor([[2., 0.], [0., 3.]])
        >>> centroid_contrast(centroids, concentration=1.)
        tensor([0.3133, 0.3133])
    """
    if all_centroids is None:
        all_centroids = centroids
    if (centroids.dim() != 2 or all_centroids.dim() != 2
            or centroids.size(1) != all_centroids.size(1)
            or not 0 <= first <= len(all_centroids) - len(centroids)):
        raise ValueError(
            '`centroids` (M, D) must be among `all_centroids` (N, D) from row '
            f'`first` on, got {tuple(centroids.shape)}, '
            f'{tuple(all_centroids.shape)} and {first}')
    dtype = torch.promote_types(centroids.dtype, torch.float32)
    with torch.autocast(centroids.device.type, enabled=False):
        unit = F.normalize(centroids.to(dtype), dim=1)
        # The same ones need not be normalised again.
        everything = unit if all_centroids is centroids else F.normalize(
            all_centroids.to(dtype), dim=1)
        logits = concentration * unit @ everything.t()
    own = first + torch.arange(len(centroids), device=centroids.device)
    return F.cross_entropy(logits, own, reduction='none')
