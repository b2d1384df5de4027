"""Quality of superpixels: the errors that no later use of them can undo.

Each measure is a quotient; functions that end in ``_counts`` or ``_sums``
return its numerator and denominator, which are summed over a dataset.

Legend: H x W pixels, N of them counted, C channels, S segments.
"""

import math

import numpy as np
from torch import Tensor

from .label_maps import (
    LabelMap,
    Overlaps,
    as_label_map,
    as_label_maps,
    check_regions,
    find_overlaps,
    number_from_zero,
    sizes_of,
)


def achievable_segmentation_accuracy(segments: LabelMap,
                                     target: LabelMap,
                                     ignore_index: int = 255) -> float:
    """Fraction of pixels that are right if segments take their best region.

    The sum over segments of the largest overlap with one region, over the
    number of pixels that are not ignored.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
            Pixels without a segment are never right.
        target (np.ndarray | Tensor): Ids of the true regions, (H, W)
            integer, at least 0 or ``ignore_index``.
        ignore_index (int): Defaults to 255.

    Returns:
        float: In [0, 1]; NaN if every pixel is ignored.

    Example:
        >>> segments = np.array([[0, 0, 0, 1, 1]])
        >>> target = np.array([[0, 0, 1, 1, 1]])
        >>> achievable_segmentation_accuracy(segments, target)
        0.8
    """
    right, number = achievable_segmentation_counts(segments, target,
                                                   ignore_index)
    return right / number if number else math.nan


def achievable_segmentation_counts(segments: LabelMap,
                                   target: LabelMap,
                                   ignore_index: int = 255
                                   ) -> tuple[int, int]:
    """Both parts of the accuracy: pixels that can be right, and all."""
    overlaps, number = _overlaps(segments, target, ignore_index)
    starts = np.flatnonzero(np.diff(overlaps.segment, prepend=-1))
    if not starts.size:
        return 0, number
    return int(np.maximum.reduceat(overlaps.count, starts).sum()), number


def undersegmentation_error(segments: LabelMap,
                            target: LabelMap,
                            ignore_index: int = 255) -> float:
    """Fraction of pixels by which segments leak across region borders.

    The sum, over pairs of a segment and a region that overlap, of the smaller
    of the segment's parts inside and outside the region, over the number of
    pixels that are not ignored (Neubert and Protzel, "Superpixel Benchmark
    and Comparison", 2012).

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
        target (np.ndarray | Tensor): Ids of the true regions, (H, W)
            integer, at least 0 or ``ignore_index``.
        ignore_index (int): Defaults to 255.

    Returns:
        float: In [0, 1], 0 is best; NaN if every pixel is ignored.

    Example:
        >>> segments = np.array([[0, 0, 0, 1, 1]])
        >>> target = np.array([[0, 0, 1, 1, 1]])
        >>> undersegmentation_error(segments, target)  # (1 + 1 + 0) / 5
        0.4
    """
    leak, number = undersegmentation_counts(segments, target, ignore_index)
    return leak / number if number else math.nan


def undersegmentation_counts(segments: LabelMap,
                             target: LabelMap,
                             ignore_index: int = 255) -> tuple[int, int]:
    """Both parts of the error: pixels that leak, and all."""
    overlaps, number = _overlaps(segments, target, ignore_index)
    outside = sizes_of(overlaps)[overlaps.segment] - overlaps.count
    return int(np.minimum(overlaps.count, outside).sum()), number


def explained_variation(segments: LabelMap,
                        image: np.ndarray | Tensor) -> float:
    """Fraction of an image's variation that lies between its segments.

    The squared distance to the mean colour of the image, summed over pixels:
    of the mean colour of the pixel's segment, over that of the pixel itself.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
            Pixels without a segment are left out.
        image (np.ndarray | Tensor): (H, W), (H, W, C) or (C, H, W), numbers.
            If both of the latter fit, an array has its channels last, a
            tensor first.

    Returns:
        float: In [0, 1]; 1 for a constant image; NaN without segments.

    Example:
        >>> segments = np.array([[0, 0, 1, 1]])
        >>> explained_variation(segments, np.array([[1., 3., 5., 7.]]))
        0.8
    """
    between, total = explained_variation_sums(segments, image)
    if total == 0:
        segments = as_label_map('segments', segments)
        return 1. if (segments >= 0).any() else math.nan
    return between / total


def explained_variation_sums(segments: LabelMap,
                             image: np.ndarray | Tensor
                             ) -> tuple[float, float]:
    """Both parts of :func:`explained_variation`; 0 for constant images."""
    segments = as_label_map('segments', segments)
    mask = segments >= 0
    if not mask.any():
        return 0., 0.
    pixels = _channels_last(image, segments.shape)[mask].astype(np.float64)
    # Makes a constant image exactly zero; its mean might be rounded.
    pixels -= pixels[0]
    pixels -= pixels.mean(axis=0)
    segment, _ = number_from_zero(segments[mask])
    sizes = np.bincount(segment)
    # Exact, so that the order of the segments does not matter.
    between = math.fsum(
        np.concatenate([
            np.bincount(segment, values)**2 / sizes for values in pixels.T
        ]))
    total = float((pixels**2).sum())
    return min(between, total), total


def compactness(segments: LabelMap) -> float:
    """How round segments are: area-weighted mean isoperimetric quotient.

    The quotient of a segment of area A and perimeter P is 4 pi A / P^2
    (Schick et al., "Measuring and Evaluating the Compactness of Superpixels",
    ICPR 2012). P counts sides of pixels, also those at the image's border.

    Args:
        segments (np.ndarray | Tensor): (H, W) integer, negative = none.
            Pixels without a segment are outside of all segments.

    Returns:
        float: In (0, pi / 4], the latter for squares; NaN without segments.

    Example:
        >>> segments = np.array([[0, 0, 1, 1, 1], [0, 0, 1, 1, 1]])
        >>> # pi * (4 * 16 / 64 + 6 * 24 / 100) / 10
        >>> round(compactness(segments) / math.pi, 3)
        0.244
    """
    segments = as_label_map('segments', segments)
    mask = segments >= 0
    if not mask.any():
        return math.nan
    padded = np.pad(segments, 1, constant_values=-1)
    sides = sum((segments != other).astype(np.int64) for other in (
        padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2],
        padded[1:-1, 2:]))
    segment, _ = number_from_zero(segments[mask])
    areas = np.bincount(segment)
    perimeters = np.bincount(segment, sides[mask])
    # Exact, so that the order of the segments does not matter.
    return math.fsum(
        4 * math.pi * areas**2 / perimeters**2) / int(areas.sum())


def _overlaps(segments: LabelMap, target: LabelMap,
              ignore_index: int) -> tuple[Overlaps, int]:
    """Overlaps of segments and regions, and the number of pixels."""
    segments, target = as_label_maps(segments=segments, target=target)
    valid = target != ignore_index
    check_regions(target, valid)
    overlaps = find_overlaps(segments, target, valid & (segments >= 0))
    return overlaps, int(valid.sum())


def _channels_last(image: np.ndarray | Tensor,
                   size: tuple[int, int]) -> np.ndarray:
    """Check an image and bring it to (H, W, C)."""
    is_tensor = isinstance(image, Tensor)
    if is_tensor:
        # NumPy lacks some of torch's dtypes.
        image = image.detach().cpu().double().numpy()
    if not isinstance(image, np.ndarray) or image.dtype.kind not in 'iuf':
        got = getattr(image, 'dtype', type(image).__name__)
        raise TypeError('`image` must be a NumPy array or a tensor of '
                        f'numbers, got {got}')
    if image.shape == size:
        return image[..., None]
    is_last = image.ndim == 3 and image.shape[:2] == size
    is_first = image.ndim == 3 and image.shape[1:] == size
    if is_first and (is_tensor or not is_last):
        return np.moveaxis(image, 0, -1)
    if not is_last:
        raise ValueError(
            f'`image` must have the size of `segments`, {size}, with or '
            f'without an axis of channels, got {image.shape}')
    return image
