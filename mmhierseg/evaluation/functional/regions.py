"""How well segments fit regions: NFCovering, and the mIoU that they allow.

Legend: H x W pixels, S segments, R regions, C classes.
"""

import math

import numpy as np

from .label_maps import (
    LabelMap,
    Overlaps,
    as_label_maps,
    check_classes,
    find_overlaps,
    number_from_zero,
    sizes_of,
)


def nf_covering(segments: LabelMap,
                regions: LabelMap,
                ignore_index: int = 255) -> float:
    """Normalised foreground covering of an image (HSG, CVPR 2022).

    The mean, over the true regions with a positive id, of the best IoU that a
    segment has with the region. Ignored pixels are removed from regions and
    segments.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
        regions (np.ndarray | Tensor): Ids of the true regions, (H, W)
            integer; the background is 0.
        ignore_index (int): Defaults to 255.

    Returns:
        float: In [0, 1]; NaN if there is no region with a positive id.

    Example:
        >>> regions = np.array([[0, 1, 1, 1], [0, 0, 2, 2]])
        >>> segments = np.array([[0, 0, 1, 1], [0, 0, 2, 2]])
        >>> nf_covering(segments, regions)  # (2/3 + 1) / 2
        0.8333333333333333
    """
    total, number = covering_sums(segments, regions, ignore_index)
    return total / number if number else math.nan


def covering_sums(segments: LabelMap,
                  regions: LabelMap,
                  ignore_index: int = 255) -> tuple[float, int]:
    """Numerator and denominator of :func:`nf_covering`, with its arguments.

    Returns:
        tuple[float, int]: Sum of the best IoUs, and number of regions.
    """
    segments, regions = as_label_maps(segments=segments, regions=regions)
    ids, _, best = _best_ious(segments, regions, regions != ignore_index)
    best = best[ids > 0]
    # Exact, so that the order of the regions does not matter.
    return math.fsum(best), len(best)


def _best_ious(segments: np.ndarray, regions: np.ndarray,
               valid: np.ndarray) -> tuple[np.ndarray, ...]:
    """Ids, sizes and best IoUs of the regions of ``valid`` pixels."""
    # Includes the pixels of a region that no segment has.
    numbers, ids = number_from_zero(regions[valid])
    sizes = np.bincount(numbers)
    overlaps = find_overlaps(segments, regions, valid & (segments >= 0))
    segment, region, count = overlaps
    region = np.searchsorted(ids, region)
    iou = count / (sizes_of(overlaps)[segment] + sizes[region] - count)
    best = np.zeros(len(ids))
    np.maximum.at(best, region, iou)
    return ids, sizes, best


def region_miou(segments: LabelMap,
                target: LabelMap,
                num_classes: int,
                ignore_index: int = 255) -> np.ndarray:
    """Confusion matrix if each segment takes its most frequent true class.

    Ties go to the smallest class. With :func:`mean_iou` this is the best that
    a labelling by majority can reach. The matrix of a dataset is the sum of
    those of its images.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
            Pixels without a segment are left out.
        target (np.ndarray | Tensor): True classes, (H, W) integer in
            [0, C - 1] or ``ignore_index``.
        num_classes (int): C.
        ignore_index (int): Defaults to 255.

    Returns:
        np.ndarray: (C, C) int64, numbers of pixels; true classes in rows.

    Example:
        >>> segments = np.array([[0, 0, 0, 1, 1]])
        >>> target = np.array([[0, 0, 1, 1, 1]])
        >>> region_miou(segments, target, num_classes=2)
        array([[2, 0],
               [1, 2]])
    """
    segments, target = as_label_maps(segments=segments, target=target)
    valid = target != ignore_index
    check_classes('target', target, valid, num_classes)
    overlaps = find_overlaps(segments, target, valid & (segments >= 0))
    segment, label, count = overlaps
    confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(confusion, (label, _majorities(overlaps)[segment]), count)
    return confusion


def majority_labels(segments: LabelMap,
                    target: LabelMap,
                    ignore_index: int = 255) -> np.ndarray:
    """Label each segment by its most frequent true class.

    Ties go to the smallest class.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
        target (np.ndarray | Tensor): True classes, (H, W) integer, or
            ``ignore_index``.
        ignore_index (int): Defaults to 255.

    Returns:
        np.ndarray: (H, W) int64, the classes; ``ignore_index`` without a
        segment, or where the truth is ignored.

    Example:
        >>> segments = np.array([[0, 0, 0, 1, -1]])
        >>> majority_labels(segments, np.array([[3, 3, 4, 4, 4]]))
        array([[  3,   3,   3,   4, 255]])
    """
    segments, target = as_label_maps(segments=segments, target=target)
    valid = (target != ignore_index) & (segments >= 0)
    numbers, _ = number_from_zero(segments[valid])
    labels = np.full(target.shape, ignore_index)
    labels[valid] = _majorities(
        find_overlaps(segments, target, valid))[numbers]
    return labels


def _majorities(overlaps: Overlaps) -> np.ndarray:
    """(S,) class that each segment shares most pixels with."""
    segment, label, count = overlaps
    # For each segment, the largest overlap first, then the smallest class.
    order = np.lexsort((label, -count, segment))
    return label[order[np.diff(segment, prepend=-1) > 0]]


def mean_iou(confusion: np.ndarray) -> float:
    """Mean IoU over the classes that occur in prediction or truth.

    Args:
        confusion (np.ndarray): (C, C) numbers of pixels, true classes in
            rows.

    Returns:
        float: In [0, 1]; NaN if there is no pixel.
    """
    return mean_iou_of_areas(class_areas(confusion))


def class_areas(confusion: np.ndarray) -> np.ndarray:
    """Reduce a (C, C) confusion matrix to the sums that IoUs need.

    Returns:
        np.ndarray: (3, C): correct, predicted and true pixels of each class.
        They add up over images as the matrices do.
    """
    return np.stack(
        [confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)])


def mean_iou_of_areas(areas: np.ndarray) -> float:
    """:func:`mean_iou`, from the (3, C) result of :func:`class_areas`."""
    hits, predicted, true = areas
    union = predicted + true - hits
    if not union.any():
        return math.nan
    return float((hits[union > 0] / union[union > 0]).mean())
