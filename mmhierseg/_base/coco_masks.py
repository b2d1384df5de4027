"""Masks of COCO's annotations: polygons and run-length codes.

pycocotools does not check them: it may crash or return garbage.
"""

from reprlib import repr as shorten

import numpy as np

__all__ = ['check_mask', 'decode_mask']

#: Limit to the length of an outline in pixels; pycocotools holds 5 points for
#: each of them.
MAX_OUTLINE = 2**22


def check_mask(segmentation: object, size: tuple[int, int]) -> int:
    """Check the mask of an image, (H, W).

    Returns how many polygons of fewer than three points it has, which
    :func:`decode_mask` leaves out; an empty mask is one.

    Raises:
        ValueError: If it is not a valid mask of this image.
    """
    if isinstance(segmentation, dict):
        _run_lengths(segmentation, size)
        return 0
    sound = len(_polygons(segmentation, size))
    return max(len(segmentation), 1) - sound


def decode_mask(segmentation: list | dict,
                size: tuple[int, int]) -> np.ndarray:
    """Decode polygons or a run-length code of COCO to a mask, (H, W) bool.

    Raises ValueError as :func:`check_mask` does.
    """
    if isinstance(segmentation, dict):
        runs = _run_lengths(segmentation, size)
        values = np.arange(len(runs)) % 2 == 1
        return np.repeat(values, runs).reshape(size[::-1]).T
    polygons = _polygons(segmentation, size)
    if not polygons:
        return np.zeros(size, dtype=bool)
    try:
        from pycocotools import mask as coco
    except ImportError as error:
        raise ImportError('masks of PartImageNet need pycocotools: '
                          'pip install pycocotools') from error
    return coco.decode(coco.merge(coco.frPyObjects(polygons,
                                                   *size))).astype(bool)


def _polygons(polygons: object, size: tuple[int, int]) -> list[list[float]]:
    """Check polygons; those of fewer than three points are left out."""
    if not isinstance(polygons, list):
        raise ValueError('expected polygons or a run-length code, got '
                         f'{shorten(polygons)}')
    found, limit = [], np.array(size[::-1])
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) % 2:
            raise ValueError('a polygon needs x and y of at least 3 points, '
                             f'got {shorten(polygon)}')
        if not {*map(type, polygon)} <= {int, float}:
            raise ValueError('the coordinates of a polygon must be numbers, '
                             f'got {shorten(polygon)}')
        try:
            points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
        except OverflowError:
            points = np.array([[np.inf, np.inf]])
        if not np.isfinite(points).all():
            raise ValueError('a polygon contains NaN or infinity')
        if ((points < -limit) | (points > 2 * limit)).any():
            raise ValueError(
                'a polygon lies outside of the image by more than its size '
                f'{size}: {shorten(polygon)}')
        if len(points) < 3:
            continue
        steps = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1)
        if steps.sum() > MAX_OUTLINE:
            raise ValueError(f'the outline of a polygon is {steps.sum():.0f} '
                             f'pixels long, more than {MAX_OUTLINE}')
        found.append(polygon)
    return found


def _run_lengths(code: dict, size: tuple[int, int]) -> np.ndarray:
    """Check a run-length code, and return its runs, int64."""
    counts = code.get('counts')
    if code.get('size') not in (list(size), tuple(size)):
        raise ValueError('its run-length code is of size '
                         f'{shorten(code.get("size"))}, the image {size}')
    if not isinstance(counts, (list, str, bytes)) or not counts:
        raise ValueError("a run-length code needs 'counts', a non-empty list "
                         f'or string, got {shorten(counts)}')
    # Integers of Python do not overflow.
    runs = counts if isinstance(counts, list) else _decompress(counts).tolist()
    if {*map(type, runs)} != {int}:
        raise ValueError(f'its runs must be integers: {shorten(runs)}')
    if min(runs) < 0 or sum(runs) != size[0] * size[1]:
        raise ValueError(f'its runs have {sum(runs)} pixels or one is '
                         f'negative, the image {size[0] * size[1]}')
    return np.array(runs, dtype=np.int64)


def _decompress(counts: str | bytes) -> np.ndarray:
    """Runs of a compressed code, as COCO's ``rleFrString`` reads them.

    A character holds 5 bits, 32 says that more follow, and the last one's 16
    that the number is negative; from the fourth run on, it is a difference.
    """
    codes = [*map(ord, counts)] if isinstance(counts, str) else list(counts)
    chars = np.array(codes, dtype=np.int64) - 48
    if chars.min() < 0 or chars.max() > 63:
        raise ValueError('its run-length code has invalid characters')
    if chars[-1] & 32:
        raise ValueError('its run-length code is truncated')
    ends = np.flatnonzero(chars < 32)
    starts = np.append(0, ends[:-1] + 1)
    lengths = ends - starts + 1
    if lengths.max() > 7:
        raise ValueError('its run-length code has a number of over 32 bits')
    shifts = 5 * (np.arange(len(chars)) - np.repeat(starts, lengths))
    runs = np.add.reduceat((chars & 31) << shifts, starts)
    runs -= (chars[ends] >> 4 & 1) << 5 * lengths
    for first in (1, 2):
        runs[first::2] = np.cumsum(runs[first::2])
    return runs
