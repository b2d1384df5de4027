"""What is read from the segments of a label map.

Legend: label maps are (H, W) integer, segments in [0, N - 1], -1 = none.
"""

from collections.abc import Sequence

import numpy as np

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
