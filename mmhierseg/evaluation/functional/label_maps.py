"""Checks of label maps, and the overlaps of two of them.

Legend: H x W pixels, S segments, K pairs of a segment and a region that have
a pixel in common.
"""

from typing import NamedTuple

import numpy as np
from torch import Tensor

LabelMap = np.ndarray | Tensor


class Overlaps(NamedTuple):
    """Pairs of a segment, numbered from 0, and a region that share pixels."""

    segment: np.ndarray  # (K,) int64 in [0, S - 1], ascending
    region: np.ndarray  # (K,) int64, id, ascending within a segment
    count: np.ndarray  # (K,) int64, number of common pixels, at least 1


def as_label_map(name: str, value: LabelMap) -> np.ndarray:
    """Check a label map, (H, W) of integers, and convert it to int64."""
    got = getattr(value, 'dtype', type(value).__name__)
    # NumPy lacks some of torch's dtypes, bfloat16 among them.
    if isinstance(value, Tensor) and not value.dtype.is_floating_point:
        value = value.detach().cpu().numpy()
    if not isinstance(value, np.ndarray) or value.dtype.kind not in 'iu':
        raise TypeError(f'`{name}` must be a NumPy array or a tensor of '
                        f'integers, got {got}')
    if value.ndim != 2:
        raise ValueError(f'`{name}` must have shape (H, W), got {value.shape}')
    return value.astype(np.int64)


def as_label_maps(**maps: LabelMap) -> tuple[np.ndarray, ...]:
    """Check named label maps of one image and convert them to int64."""
    arrays = tuple(as_label_map(*item) for item in maps.items())
    names = [f'`{name}`' for name in maps]
    for name, array in zip(names[1:], arrays[1:]):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f'{names[0]} and {name} must have the same shape, got '
                f'{arrays[0].shape} and {array.shape}')
    return arrays


def check_regions(regions: np.ndarray, valid: np.ndarray) -> None:
    """Check that ids of regions are not negative where ``valid``."""
    lowest = regions.min(where=valid, initial=0)
    if lowest < 0:
        raise ValueError('`target` must not be negative but where it is '
                         f'`ignore_index`, got {lowest}')


def check_classes(name: str, labels: np.ndarray, valid: np.ndarray,
                  num_classes: int) -> None:
    """Check that labels are classes where ``valid``."""
    lowest = labels.min(where=valid, initial=0)
    highest = labels.max(where=valid, initial=0)
    if lowest < 0 or highest >= num_classes:
        raise ValueError(
            f'`{name}` must be a class in [0, {num_classes - 1}], or ignored '
            f'by the ground truth; got {lowest if lowest < 0 else highest}')


def find_overlaps(segments: np.ndarray, regions: np.ndarray,
                  mask: np.ndarray) -> Overlaps:
    """Count the pixels of ``mask`` that segments and regions share."""
    segment, segment_ids = number_from_zero(segments[mask])
    region, region_ids = number_from_zero(regions[mask])
    pair = segment * len(region_ids) + region
    num_pairs = len(segment_ids) * len(region_ids)
    if num_pairs <= 4 * mask.size:
        table = np.bincount(pair, minlength=num_pairs)
        pair = np.flatnonzero(table)
        count = table[pair]
    else:
        # A table of many segments and many regions would be all zeros.
        pair, count = np.unique(pair, return_counts=True)
    width = max(len(region_ids), 1)
    return Overlaps(pair // width, region_ids[pair % width], count)


def sizes_of(overlaps: Overlaps) -> np.ndarray:
    """(S,) int64: number of pixels of each segment in the overlaps."""
    ends = np.flatnonzero(np.diff(overlaps.segment, append=-1))
    return np.diff(overlaps.count.cumsum()[ends], prepend=0)


def number_from_zero(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number (n,) values from 0 in ascending order: numbers, sorted values."""
    if not values.size:
        return values, values
    lowest, highest = int(values.min()), int(values.max())
    if highest - lowest > 4 * values.size:
        ids, numbers = np.unique(values, return_inverse=True)
        return numbers, ids
    shifted = values - lowest
    used = np.bincount(shifted) > 0
    return (used.cumsum() - 1)[shifted], np.flatnonzero(used) + lowest
