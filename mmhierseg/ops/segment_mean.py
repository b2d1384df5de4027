"""Means of a feature map over the segments of a label map.

CAST, Sec. 3.1: a segment token is the mean of the convolutional features over
a superpixel. Features lie on a coarse grid, segments on pixels. The mean over
a segment of an interpolated map is linear in the grid cells, so it is a
product with a small (N, h w) matrix, and the map at pixel resolution is never
formed.

Legend: B images, N segments, C channels, h x w grid cells, H x W pixels.
Labels are int64, -1 = none. An empty segment has a mean of zero and is
reported in a mask.
"""

from typing import Tuple

import torch
from torch import Tensor

from .checks import check_labels
from .interpolation import interpolation_taps


def segment_mean(features: Tensor,
                 labels: Tensor,
                 num_segments: int,
                 mode: str = 'bilinear') -> Tuple[Tensor, Tensor]:
    """Mean over each segment of features brought to the label map's size.

    Args:
        features (Tensor): (B, C, h, w) float, or (1, C, h, w) for all
            images alike. Half precision is summed in float32.
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N, at least 1.
        mode (str): How features come to H x W: 'bilinear' or 'bicubic', as in
            ``interpolate(align_corners=False)``. It plays no part where the
            sizes agree. Defaults to 'bilinear'.

    Returns:
        Tuple[Tensor, Tensor]: Means (B, N, C), float32 or wider, zero for
        empty segments; and (B, N) bool, True where a segment has no pixel.

    Raises:
        TypeError: If ``labels`` is not int64.
        ValueError: If the shapes do not fit each other, or a label is N or
            above (looked at on the CPU only).

    Example:
        >>> features = torch.tensor([[[[1., 2.], [3., 4.]]]])
        >>> labels = torch.tensor([[[0, 0], [0, 2]]])
        >>> segment_mean(features, labels, num_segments=3)
        (tensor([[[2.],
                 [0.],
                 [4.]]]), tensor([[False,  True, False]]))
    """
    if features.dim() != 4 or features.size(0) not in (1, labels.size(0)):
        raise ValueError(
            f'`features` must have shape (B, C, h, w) with B = '
            f'{labels.size(0)} or 1, got {tuple(features.shape)}')
    dtype = torch.promote_types(features.dtype, torch.float32)
    matrix, empty = segment_matrix(
        labels, num_segments, tuple(features.shape[2:]), mode, dtype)
    with torch.autocast(features.device.type, enabled=False):
        means = matrix @ features.to(dtype).flatten(2).transpose(1, 2)
    return means, empty


def segment_matrix(
        labels: Tensor,
        num_segments: int,
        grid_size: Tuple[int, int],
        mode: str = 'bilinear',
        dtype: torch.dtype = torch.float32) -> Tuple[Tensor, Tensor]:
    """The linear map from grid cells to means over segments.

    Args:
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N, at least 1.
        grid_size (Tuple[int, int]): (h, w) of the features.
        mode (str): 'bilinear' or 'bicubic'; see :func:`segment_mean`.
        dtype (torch.dtype): Of the matrix. Defaults to float32.

    Returns:
        Tuple[Tensor, Tensor]: The matrix, (B, N, h w): rows sum to 1 (to 0
        for an empty segment), and are non-negative for 'bilinear'; and
        (B, N) bool, True where a segment has no pixel.

    Raises:
        TypeError: If ``labels`` is not int64.
        ValueError: If ``labels`` is not (B, H, W), N is below 1, or a label
            is N or above (looked at on the CPU only).
    """
    check_labels(labels, num_segments)
    height, width = grid_size
    batch, device = labels.size(0), labels.device
    rows, row_weights = interpolation_taps(height, labels.size(1), mode,
                                           device, dtype)
    columns, column_weights = interpolation_taps(width, labels.size(2), mode,
                                                 device, dtype)
    count = segment_sizes(labels, num_segments)
    valid = labels >= 0
    segment = labels.clamp(min=0) + num_segments * torch.arange(
        batch, device=device)[:, None, None]
    share = count.to(dtype).clamp(min=1).reciprocal().flatten()[segment]
    share = share * valid
    first = segment * (height * width)
    matrix = labels.new_zeros(
        batch * num_segments * height * width, dtype=dtype)
    # At most 4 x 4 taps, each over all pixels of the batch at once.
    for i in range(rows.size(1)):
        row_share = share * row_weights[:, i, None]
        row_first = first + rows[:, i, None] * width
        for j in range(columns.size(1)):
            matrix.scatter_add_(0, (row_first + columns[:, j]).flatten(),
                                (row_share * column_weights[:, j]).flatten())
    return matrix.view(batch, num_segments, -1), count == 0


def segment_sizes(labels: Tensor, num_segments: int) -> Tensor:
    """Number of pixels of each segment.

    Args:
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N, at least 1.

    Returns:
        Tensor: (B, N) int64.

    Raises:
        TypeError, ValueError: As in :func:`segment_matrix`.

    Example:
        >>> segment_sizes(torch.tensor([[[0, 0, -1, 2]]]), 3)
        tensor([[2, 0, 1]])
    """
    check_labels(labels, num_segments)
    # The extra column takes the pixels without a segment.
    column = torch.where(labels < 0, num_segments, labels).flatten(1)
    count = labels.new_zeros(labels.size(0), num_segments + 1)
    count.scatter_add_(1, column, torch.ones_like(column))
    return count[:, :num_segments]
