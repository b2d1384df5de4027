"""Sums of features, and numbers of points, by label.

Legend: B images, N points, C channels, K labels; -1 = none.
"""

import torch
from torch import Tensor

#: Points of an image that are compared with all labels at once.
POINTS = 16384


def count_labels(labels: Tensor, num_labels: int) -> Tensor:
    """(B, K) int64: number of points of (B, N) with each label."""
    # The extra column takes the points without a label.
    column = torch.where(labels < 0, num_labels, labels)
    counts = labels.new_zeros(labels.size(0), num_labels + 1)
    counts.scatter_add_(1, column, torch.ones_like(column))
    return counts[:, :num_labels]


def sum_by_label(features: Tensor, labels: Tensor,
                 num_labels: int) -> tuple[Tensor, Tensor]:
    """Sum of the features with each label, image by image.

    Args:
        features (Tensor): (B, N, C) float.
        labels (Tensor): (B, N) int64 in [-1, K - 1]; -1 is left out.
        num_labels (int): K, at least 1.

    Returns:
        tuple[Tensor, Tensor]: Sums (B, K, C) of the dtype of ``features``, and
        numbers of points (B, K) int64.
    """
    is_cpu = features.device.type == 'cpu'
    sums = (sum_by_index if is_cpu else sum_by_product)(
        features, labels, num_labels)
    return sums, count_labels(labels, num_labels)


def sum_by_index(features: Tensor, labels: Tensor, num_labels: int) -> Tensor:
    """(B, K, C) sums; on a GPU their last bits vary."""
    batch, _, channels = features.shape
    # The extra row of each image takes the points without a label.
    rows = num_labels + 1
    first = torch.arange(0, batch * rows, rows, device=labels.device)
    index = torch.where(labels < 0, num_labels, labels) + first[:, None]
    sums = features.new_zeros(batch * rows, channels)
    sums = sums.index_add(0, index.flatten(), features.flatten(0, 1))
    return sums.view(batch, rows, -1)[:, :-1]


def sum_by_product(features: Tensor, labels: Tensor,
                   num_labels: int) -> Tensor:
    """(B, K, C) sums, products with matrices of zeros and ones."""
    sums = features.new_zeros(len(features), num_labels, features.size(2))
    names = torch.arange(num_labels, device=labels.device)[:, None]
    for points, part in zip(
            features.split(POINTS, dim=1), labels.split(POINTS, dim=1)):
        sums += (part[:, None] == names).to(features.dtype) @ points
    return sums
