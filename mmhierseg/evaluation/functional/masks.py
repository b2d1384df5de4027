"""Masks that may overlap, as a sparse matrix, and their overlaps.

Legend: H x W pixels, N masks, R regions, L label maps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from mmhierseg._base.coco_masks import decode_mask

from .label_maps import as_label_map, number_from_zero

#: (N, H, W) bool, label maps (H, W) or (L, H, W) of integers, each of whose
#: ids is a mask, negative = none; or COCO's run-length codes.
Masks = np.ndarray | Tensor | Sequence[dict]


class MaskOverlaps(NamedTuple):
    """Pixels that masks and regions share."""

    shared: np.ndarray  # (N, R) int64
    areas: np.ndarray  # (N,) int64, of the masks
    region_areas: np.ndarray  # (R,) int64

    @property
    def iou(self) -> np.ndarray:
        """(N, R) float64 in [0, 1]; 0 if both are empty."""
        union = self.areas[:, None] + self.region_areas - self.shared
        return self.shared / np.maximum(union, 1)


def overlaps_of(masks: Masks,
                regions: Masks,
                max_masks: int | None = None) -> MaskOverlaps:
    """Count the pixels of masks, of regions, and of both.

    Args:
        masks (np.ndarray | Tensor | Sequence[dict]): See
            :func:`average_recall`.
        regions (np.ndarray | Tensor | Sequence[dict]): Likewise.
        max_masks (int, optional): Masks beyond this are left out.
    """
    if max_masks is not None:
        if not max_masks >= 1:
            raise ValueError(
                f'`max_masks` must be at least 1, got {max_masks}')
        if isinstance(masks, Sequence) or masks.dtype in (bool, torch.bool):
            masks = masks[:max_masks]  # before they are decoded
    one, other = mask_matrices(masks=masks, regions=regions)
    one = one[:max_masks]
    return MaskOverlaps((one @ other.T).toarray(), one.sum(1), other.sum(1))


def mask_matrices(**masks: Masks) -> list[csr_array]:
    """Check named masks of one image: (N, H * W) int64 of zeros and ones."""
    found = {name: _matrix(name, value) for name, value in masks.items()}
    sizes = {name: size for name, (_, size) in found.items() if size}
    if len(set(sizes.values())) > 1:
        raise ValueError('masks must be of one size, (H, W), got ' + ', '.join(
            f'`{name}` of {size}' for name, size in sizes.items()))
    height, width = next(iter(sizes.values()), (0, 0))
    return [matrix if size else csr_array((0, height * width), dtype=np.int64)
            for matrix, size in found.values()]


def _matrix(name: str,
            value: Masks) -> tuple[csr_array, tuple[int, int] | None]:
    """Matrix of masks, and their size; None if a list of codes is empty."""
    if isinstance(value, Sequence):
        if not value:
            return csr_array((0, 0), dtype=np.int64), None
        size = _size_of_code(name, value[0])
        pixels = [np.flatnonzero(_decode(name, i, code, size))
                  for i, code in enumerate(value)]
        rows = np.repeat(np.arange(len(value)), [len(x) for x in pixels])
        return _ones(rows, np.concatenate(pixels), len(value), size), size
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind == 'b':
        if value.ndim != 3:
            raise ValueError(
                f'`{name}` must have shape (N, H, W), got {value.shape}')
        count, *size = value.shape
        rows, pixels = value.reshape(count, size[0] * size[1]).nonzero()
        return _ones(rows, pixels, count, size), tuple(size)
    maps = value if getattr(value, 'ndim', 2) == 3 else [value]
    rows, pixels, count = [], [], 0
    for one in maps:
        labels = as_label_map(name, one)
        inside = np.flatnonzero(labels >= 0)
        numbers, ids = number_from_zero(labels.flat[inside])
        rows.append(numbers + count)
        pixels.append(inside)
        count += len(ids)
    if not rows:
        raise ValueError(f'`{name}` has no label map')
    size = labels.shape
    return _ones(
        np.concatenate(rows), np.concatenate(pixels), count, size), size


def _ones(rows: np.ndarray, pixels: np.ndarray, count: int,
          size: tuple[int, int]) -> csr_array:
    ones = np.ones(len(rows), dtype=np.int64)
    return csr_array((ones, (rows, pixels)), (count, size[0] * size[1]))


def _size_of_code(name: str, code: object) -> tuple[int, int]:
    size = code.get('size') if isinstance(code, dict) else None
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(
            type(n) is int and n > 0 for n in size):
        raise ValueError(f"`{name}` must be run-length codes with 'size' "
                         f"(H, W) and 'counts', got {str(code)[:80]}")
    return tuple(size)


def _decode(name: str, index: int, code: dict,
            size: tuple[int, int]) -> np.ndarray:
    try:
        return decode_mask(code, size)
    except (ValueError, TypeError) as error:
        raise ValueError(f'`{name}[{index}]`: {error}') from error
