"""What is read from the segments of a label map.

Legend: label maps are (H, W) integer, segments in [0, N - 1], -1 = none.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

#: Segments that overlap less, as IoU, are different ones.
_LEAST_OVERLAP = 0.1

_ROWS = 256


def coco_annotations(label_maps: Sequence[np.ndarray],
                     levels: Sequence[int] | None = None) -> list[dict]:
    """Annotations of COCO, with masks as RLE, of the segments of label maps.

    Those of the hierarchy are ``level`` (of ``levels``, or else 0, 1, ...) and
    ``segment``.
    """
    from pycocotools import mask as rle
    annotations: list[dict] = []
    for level, labels in zip(levels or range(len(label_maps)), label_maps):
        for i in range(int(labels.max(initial=-1)) + 1):
            code = rle.encode(np.asfortranarray(labels == i, np.uint8))
            annotations.append(dict(
                id=len(annotations) + 1, category_id=1, iscrowd=0,
                segmentation=dict(size=[int(n) for n in code['size']],
                                  counts=code['counts'].decode()),
                area=int(rle.area(code)), bbox=rle.toBbox(code).tolist(),
                level=level, segment=i))
    return annotations


def paint(numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Numbers of the labels of a map, (H, W) int32; the last one is of -1."""
    table, painted = numbers.astype(np.int32), np.empty(labels.shape, np.int32)
    # NumPy copies an index to 64 bits: by rows, or large photographs need
    # twice their map.
    for start in range(0, len(labels), _ROWS):
        rows = slice(start, start + _ROWS)
        painted[rows] = table[labels[rows]]
    return painted


def adjacency(labels: np.ndarray, number: int) -> np.ndarray:
    """(N, N) bool, whether segments of a label map share a side of a pixel."""
    found = np.zeros((number, number), bool)
    for one, other in ((labels[:, 1:], labels[:, :-1]),
                       (labels[1:], labels[:-1])):
        both = (one != other) & (one >= 0) & (other >= 0)
        found[one[both], other[both]] = True
    return found | found.T


def split_connected(labels: np.ndarray) -> np.ndarray:
    """Number the connected pieces (by sides) of segments from 0; -1 stays."""
    from skimage.measure import label
    return label(labels, background=-1, connectivity=1).astype(np.int32) - 1


def count_overlaps(one: np.ndarray, other: np.ndarray,
                   size: tuple[int, int]) -> np.ndarray:
    """(M, N) int64, pixels that segments of two label maps share."""
    both = (one >= 0) & (other >= 0)
    return np.bincount(one[both].astype(np.int64) * size[1] + other[both],
                       minlength=size[0] * size[1]).reshape(size)


def match_segments(before: np.ndarray, now: np.ndarray,
                   tokens_before: np.ndarray,
                   tokens_now: np.ndarray) -> np.ndarray:
    """Find the segments of a frame in the frame before.

    One to one, so that the sum of their overlaps, as IoU, and of the cosines
    of their tokens is largest. Segments that overlap by less than 0.1, or with
    a negative sum, are not the same.

    Args:
        before (np.ndarray): (H, W) integer, label map of M segments.
        now (np.ndarray): (H, W) integer, of N segments.
        tokens_before (np.ndarray): (M, C) float, of any length.
        tokens_now (np.ndarray): (N, C) float.

    Returns:
        np.ndarray: (N,) int64, segment of the frame before, -1 = a new one.

    Example:
        >>> before, now = np.array([[0, 0, 1, 1]]), np.array([[1, 1, 1, 0]])
        >>> match_segments(before, now, np.eye(2), np.eye(2)[::-1])
        array([1, 0])
    """
    shared = count_overlaps(before, now, (len(tokens_before), len(tokens_now)))
    areas = [np.bincount(labels[labels >= 0], minlength=len(tokens))
             for labels, tokens in ((before, tokens_before),
                                    (now, tokens_now))]
    union = areas[0][:, None] + areas[1] - shared
    overlap = shared / np.maximum(union, 1)
    score = overlap + _unit(tokens_before) @ _unit(tokens_now).T
    score = np.where(overlap < _LEAST_OVERLAP, 0, score.clip(min=0))
    rows, columns = linear_sum_assignment(score, maximize=True)
    found = np.full(len(tokens_now), -1)
    kept = score[rows, columns] > 0
    found[columns[kept]] = rows[kept]
    return found


def _unit(tokens: np.ndarray) -> np.ndarray:
    return tokens / np.linalg.norm(tokens, axis=1, keepdims=True).clip(1e-12)
