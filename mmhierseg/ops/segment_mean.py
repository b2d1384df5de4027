"""Means of a feature map over the segments of a label map.

CAST, Sec. 3.1: a segment token is the mean of the convolutional features, on
a coarse grid, over a superpixel. The mean over a segment of an interpolated
map is linear in the grid cells: the map at pixel resolution is never formed
(:mod:`mmhierseg.ops.segment_weights`).

Legend: B images, N segments, C channels, h x w grid cells, H x W pixels.
Labels are int64, -1 = none. An empty segment has a mean of zero and is
reported in a mask.
"""

import torch
from torch import Tensor

from .checks import check_labels, reads_are_free, wide
from .label_sums import sum_by_index
from .segment_weights import mean_by_matrix, mean_by_pairs, segment_sizes


def segment_mean(features: Tensor,
                 labels: Tensor,
                 num_segments: int,
                 mode: str = 'bilinear') -> tuple[Tensor, Tensor]:
    """Mean over each segment of features interpolated to the label map.

    Args:
        features (Tensor): (B, C, h, w) float, or (1, C, h, w) for all images
            alike; summed in at least float32.
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N, at least 1.
        mode (str): 'bilinear' or 'bicubic', as in
            ``interpolate(align_corners=False)``; no effect where sizes agree.

    Returns:
        tuple[Tensor, Tensor]: Means (B, N, C), float32 or wider, zero for
        empty segments; and (B, N) bool, True where a segment has no pixel.

    Example:
        >>> features = torch.tensor([[[[1., 2.], [3., 4.]]]])
        >>> labels = torch.tensor([[[0, 0], [0, 2]]])
        >>> segment_mean(features, labels, num_segments=3)
        (tensor([[[2.],
                 [0.],
                 [4.]]]), tensor([[False,  True, False]]))
    """
    check_labels(labels, num_segments)
    if features.dim() != 4 or features.size(0) not in (1, labels.size(0)):
        raise ValueError(
            f'`features` must have shape (B, C, h, w) with B = '
            f'{labels.size(0)} or 1, got {tuple(features.shape)}')
    count = segment_sizes(labels, num_segments)
    with torch.autocast(features.device.type, enabled=False):
        features = wide(features)
        if features.shape[2:] == labels.shape[1:]:
            rows = features.flatten(2).transpose(1, 2).expand(
                len(labels), -1, -1)
            sums = sum_by_index(rows, labels.flatten(1), num_segments)
            means = sums / count.clamp(min=1)[..., None]
        elif reads_are_free(features):
            means = mean_by_pairs(features, labels, count, mode)
        else:
            means = mean_by_matrix(features, labels, count, mode)
    return means, count == 0
