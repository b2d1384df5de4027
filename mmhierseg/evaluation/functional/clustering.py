"""Agreement of a segmentation with those of people.

Legend: H x W pixels, A annotators, n_ij pixels that segment i and region j
share, a_i and b_j the sums over j and i, n the sum of all.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .label_maps import LabelMap, as_label_maps, find_overlaps, sizes_of


class Agreement(NamedTuple):
    """Measures that need nothing but n_ij; see the functions of this name."""

    covering: float
    variation_of_information: float
    probabilistic_rand_index: float
    nf_covering: float


def agreement(segments: LabelMap,
              regions: LabelMap,
              ignore_index: int = -1) -> Agreement:
    """All measures of :class:`Agreement` for the price of one.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
        regions (np.ndarray | Tensor): Ids of the true regions, integer,
            (H, W) or, of A annotators, (A, H, W). Only positive ones count
            for NFCovering.
        ignore_index (int): Pixels of ``regions`` to leave out. Defaults to
            -1.

    Returns:
        Agreement: Means over the annotators that have a region (for the Rand
        index two pixels, for NFCovering one with a positive id); NaN if there
        is none.
    """
    rows = []
    for one in regions if getattr(regions, 'ndim', 2) == 3 else [regions]:
        labels, truth = as_label_maps(segments=segments, regions=one)
        valid = truth != ignore_index
        shared = find_overlaps(np.maximum(labels, -1), truth, valid)
        if shared.count.size:
            rows.append(_of_annotator(shared, (labels[valid] < 0).any()))
    columns = zip(*rows) if rows else [()] * len(Agreement._fields)
    return Agreement(*(_mean([x for x in column if not math.isnan(x)])
                       for column in columns))


def covering(segments: LabelMap,
             regions: LabelMap,
             ignore_index: int = -1) -> float:
    """Covering of human segmentations by a segmentation (BSDS500).

    For each annotator the mean, over pixels, of the best IoU that a segment
    has with the pixel's region (Arbelaez et al., TPAMI 2011); then the mean
    over the annotators. Unlike :func:`nf_covering`, regions count by their
    area, and every id is a region.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
        regions (np.ndarray | Tensor): Ids of the true regions, integer,
            (H, W) or, of A annotators, (A, H, W).
        ignore_index (int): Defaults to -1, since numbers of regions may go
            beyond 255.

    Returns:
        float: In [0, 1]; annotators without a region are left out, NaN if
        there is none.

    Example:
        >>> regions = np.array([[[0, 1, 1, 1], [0, 0, 2, 2]],
        ...                     [[0, 0, 1, 1], [0, 0, 2, 2]]])
        >>> covering(regions[1], regions)  # (3 * 3/4 + 3 * 2/3 + 2) / 8, 1
        0.890625
    """
    return agreement(segments, regions, ignore_index).covering


def variation_of_information(segments: LabelMap,
                             regions: LabelMap,
                             ignore_index: int = -1) -> float:
    """Variation of information, in nats (Meila, COLT 2003).

    VI = H(S | R) + H(R | S) = -sum_ij n_ij / n [log n_ij / a_i + log n_ij /
    b_j]; then the mean over the annotators. 0 if they agree, at most log n.
    Pixels without a segment count as one segment.

    Args: see :func:`covering`.

    Returns:
        float: Annotators without a region are left out; NaN if there is none.

    Example:
        >>> variation_of_information(
        ...     np.array([[0, 0, 0, 0]]), np.array([[0, 0, 1, 1]]))  # log 2
        0.6931471805599453
    """
    return agreement(segments, regions, ignore_index).variation_of_information


def probabilistic_rand_index(segments: LabelMap,
                             regions: LabelMap,
                             ignore_index: int = -1) -> float:
    """Probabilistic Rand index (Unnikrishnan et al., TPAMI 2007).

    The share of pairs of pixels that segmentation and annotator both join or
    both separate, 1 + (2 sum n_ij^2 - sum a_i^2 - sum b_j^2) / n (n - 1);
    then the mean over the annotators. Pixels without a segment count as one
    segment.

    Args: see :func:`covering`.

    Returns:
        float: In [0, 1]; annotators with fewer than two pixels are left out,
        NaN if there is none.

    Example:
        >>> probabilistic_rand_index(
        ...     np.array([[0, 0, 0, 0]]), np.array([[0, 0, 1, 1]]))  # 2 of 6
        0.33333333333333337
    """
    return agreement(segments, regions, ignore_index).probabilistic_rand_index


def _of_annotator(shared, has_none: bool) -> Agreement:
    """Agreement with one annotator; the first segment may be "none"."""
    count, of_segment = shared.count, sizes_of(shared)[shared.segment]
    ids, region = np.unique(shared.region, return_inverse=True)
    sizes = np.zeros(len(ids), dtype=np.int64)
    np.add.at(sizes, region, count)
    of_region, number = sizes[region], int(count.sum())
    iou = count / (of_segment + of_region - count)
    best = np.zeros(len(sizes))
    np.maximum.at(best, region, np.where(
        (shared.segment == 0) & has_none, 0, iou))
    terms = count * (
        2 * np.log(count) - np.log(of_segment) - np.log(of_region))
    # The sizes of clusters, summed over pixels, are sums of squares.
    squares = int((2 * count - of_segment - of_region) @ count)
    pairs = number * (number - 1)
    return Agreement(
        math.fsum(sizes * best) / number,
        max(-math.fsum(terms) / number, 0.),  # not -0, nor below by rounding
        1 + squares / pairs if pairs else math.nan, _mean(best[ids > 0]))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if len(values) else math.nan
