"""Recall of class-agnostic masks, as COCO and SA-1B measure it.

Legend: N masks, R regions, T thresholds.
"""

import math

import numpy as np

from .masks import MaskOverlaps, Masks, overlaps_of

#: IoUs of COCO: 0.5, 0.55, ..., 0.95.
THRESHOLDS = tuple(np.linspace(.5, .95, 10).tolist())
#: Areas of COCO, in pixels, ends included.
AREA_RANGES = dict(
    all=(0, math.inf), small=(0, 32**2), medium=(32**2, 96**2),
    large=(96**2, math.inf))


def average_recall(masks: Masks,
                   regions: Masks,
                   max_masks: int = 1000,
                   area_range: tuple[float, float] = (0, math.inf),
                   thresholds: tuple[float, ...] = THRESHOLDS) -> float:
    """Average recall of regions by masks without classes (COCO's AR).

    At a threshold of IoU, the masks take in their order the region that fits
    best of those that are still free. The recall is the share of the regions
    that are taken; then the mean over the thresholds. Equal to ``COCOeval``
    with ``useCats=0`` if masks come with falling scores. A label map's masks
    are in the order of their ids, those of several maps in that of the maps.

    Args:
        masks (np.ndarray | Tensor | Sequence[dict]): (N, H, W) bool; or
            label maps, (H, W) or (L, H, W) integer, each of whose ids is a
            mask, negative = none; or run-length codes of COCO.
        regions (np.ndarray | Tensor | Sequence[dict]): The true ones,
            likewise.
        max_masks (int): Masks beyond this are left out. Defaults to 1000.
        area_range (tuple[float, float]): Only regions of so many pixels
            count, ends included. Defaults to (0, inf).
        thresholds (tuple[float]): Of the IoU. Defaults to COCO's, 0.5 to
            0.95.

    Returns:
        float: In [0, 1]; NaN without regions.

    Example:
        >>> regions = np.array([[0, 0, 0, 0, 1, 1]])
        >>> masks = np.array([[0, 0, 0, 1, 1, 1]])
        >>> average_recall(masks, regions)  # IoUs of 3/4 and 2/3: (6 + 4) / 20
        0.5
    """
    found, number = recall_counts(
        overlaps_of(masks, regions, max_masks), area_range, thresholds)
    return float(found.mean() / number) if number else math.nan


def recall_counts(
        overlaps: MaskOverlaps,
        area_range: tuple[float, float] = (0, math.inf),
        thresholds: tuple[float, ...] = THRESHOLDS
) -> tuple[np.ndarray, int]:
    """Numerators and denominator of :func:`average_recall`.

    Args:
        overlaps (MaskOverlaps): Of masks and regions (:func:`overlaps_of`).
        area_range (tuple[float, float]): See :func:`average_recall`.
        thresholds (tuple[float]): Likewise.

    Returns:
        tuple[np.ndarray, int]: Regions that are found at each threshold, (T,)
        int64, and number of regions. They add up over images.
    """
    low, high = area_range
    counts = (low <= overlaps.region_areas) & (overlaps.region_areas <= high)
    iou = overlaps.iou[:, counts]
    # As COCO, so that equal masks count at a threshold of 1.
    levels = np.minimum(thresholds, 1 - 1e-10)
    free = np.ones((len(levels), iou.shape[1]), dtype=bool)
    rows = np.arange(len(levels))
    for fits in iou[iou.max(axis=1, initial=0) >= levels.min()]:
        candidates = np.where(free & (fits >= levels[:, None]), fits, -1)
        # Of equal ones the last, as COCO does.
        best = iou.shape[1] - 1 - candidates[:, ::-1].argmax(axis=1)
        free[rows, best] &= candidates[rows, best] < 0
    return (~free).sum(axis=1), iou.shape[1]
