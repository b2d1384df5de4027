"""Classes of segments: pixel counts, majority, and cross entropy.

All pixels of a segment share its logits, so that the sum over pixels of
-log p(class of the pixel) is one over (segment, class) pairs, weighted by
pixel counts.

Legend: B images, N segments, K classes, H x W pixels. Labels are int64, -1 =
none.
"""

import torch
from torch import Tensor

from .checks import check_dtype, check_labels, check_shape, wide
from .knn import first_of_largest
from .label_sums import count_labels


def segment_class_counts(labels: Tensor,
                         target: Tensor,
                         num_segments: int,
                         num_classes: int,
                         ignore_index: int = 255) -> Tensor:
    """Number of pixels of each class in each segment.

    Args:
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        target (Tensor): (B, H, W) int64, the class of each pixel, in [0, K -
            1], or ``ignore_index``.
        num_segments (int): N, at least 1.
        num_classes (int): K.
        ignore_index (int): Value that is not counted.

    Returns:
        Tensor: (B, N, K) int64. Pixels without a segment count nowhere.
    """
    check_labels(labels, num_segments)
    check_dtype(torch.int64, target=target)
    check_shape(labels.shape, target=target)
    labelled = target != ignore_index
    known = (target >= 0) & (target < num_classes)
    if target.device.type == 'cpu' and (labelled & ~known).any():
        wrong = target[labelled & ~known].unique().tolist()
        raise ValueError(
            f'`target` must hold classes from 0 to {num_classes - 1} or '
            f'{ignore_index}, which is ignored, got {wrong[:8]}: the ground '
            'truth has other classes than the model. Set `num_classes`, or '
            'the label map or `reduce_zero_label` of the dataset')
    size = num_segments * num_classes
    # Out of range, so that a GPU reports wrong classes.
    index = torch.where(known, labels * num_classes + target, size + 1)
    index = torch.where(labelled & (labels >= 0), index, -1)
    return count_labels(index.flatten(1), size).view(
        -1, num_segments, num_classes)


def segment_cross_entropy(logits: Tensor, counts: Tensor) -> Tensor:
    """Cross entropy of all pixels that were counted, summed.

    Args:
        logits (Tensor): (B, N, K) float, of each segment.
        counts (Tensor): (B, N, K) int64, see :func:`segment_class_counts`.

    Returns:
        Tensor: The sum, a scalar, float32 or wider; 0 if nothing was counted.
    """
    check_shape(counts.shape, logits=logits)
    with torch.autocast(logits.device.type, enabled=False):
        log_probability = wide(logits).log_softmax(dim=2)
        return -(counts.to(log_probability.dtype) * log_probability).sum()


def majority_class(counts: Tensor) -> Tensor:
    """Class that most pixels of a segment have.

    Args:
        counts (Tensor): (..., K) int64, see :func:`segment_class_counts`.

    Returns:
        Tensor: (...) int64, the smallest class on ties; -1 where nothing was
        counted.
    """
    counted = counts.sum(dim=-1) > 0
    return torch.where(counted, first_of_largest(counts), -1)
