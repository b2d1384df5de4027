"""How well parts lie in wholes, and whether their labels say the same.

Legend: P parts, N masks, C classes of parts.
"""

import math

import numpy as np

from .label_maps import LabelMap, as_label_maps
from .masks import Masks, mask_matrices


def part_containment(parts: Masks, wholes: Masks) -> float:
    """Mean over the parts of the largest share that lies in one whole.

    ``max_w |p and w| / |p|``: 1 if the parts nest in the wholes, whatever the
    method that made them.

    Args:
        parts (np.ndarray | Tensor | Sequence[dict]): Masks or label maps, see
            :func:`average_recall`; empty ones are left out.
        wholes (np.ndarray | Tensor | Sequence[dict]): Likewise.

    Returns:
        float: In [0, 1]; NaN without parts.

    Example:
        >>> parts = np.array([[0, 0, 0, 1, 1, 1]])
        >>> wholes = np.array([[0, 0, 1, 1, 1, 1]])
        >>> part_containment(parts, wholes)  # (2/3 + 1) / 2
        0.8333333333333333
    """
    one, other = mask_matrices(parts=parts, wholes=wholes)
    areas = one.sum(axis=1)
    best = np.zeros(len(areas))
    if other.shape[0]:
        # Sparse: of many parts and wholes, few meet.
        best = (one @ other.T).max(axis=1).toarray()
    best = best[areas > 0] / areas[areas > 0]
    return math.fsum(best) / len(best) if len(best) else math.nan


def spatial_consistency(masks: Masks, parts: Masks, wholes: Masks) -> float:
    """Share of a predicted part that lies in the predicted whole.

    The prediction of a true part or whole is the mask with the best IoU. The
    whole of a part is the true one that it shares most pixels with. Then the
    mean over the parts of ``|p and w| / |p|``, both predicted, after the
    spatial consistency of SPIN (Myers-Dean et al., ECCV 2024).

    Args:
        masks (np.ndarray | Tensor | Sequence[dict]): Predicted masks or label
            maps, see :func:`average_recall`.
        parts (np.ndarray | Tensor | Sequence[dict]): True parts, likewise.
        wholes (np.ndarray | Tensor | Sequence[dict]): True wholes, likewise.

    Returns:
        float: In [0, 1]. Parts that share no pixel with any whole, or no
        mask, are left out, wholes without a mask count as 0; NaN without
        parts.

    Example:
        >>> parts = np.array([[0, 0, 1, 1, -1, -1]])
        >>> wholes = np.array([[0, 0, 0, 0, -1, -1]])
        >>> masks = np.array([[[0, 0, 1, 1, 1, 1]], [[0, 0, 0, 1, 1, 1]]])
        >>> spatial_consistency(masks, parts, wholes)  # (1 + 1/4) / 2
        0.625
    """
    made, true, whole = mask_matrices(masks=masks, parts=parts, wholes=wholes)
    belongs = (true @ whole.T).toarray()
    own = np.flatnonzero(belongs.max(axis=1, initial=0) > 0)
    if not len(own) or not made.shape[0]:
        return math.nan
    part, fits = _best_masks(made, true[own])
    of_whole, whole_fits = _best_masks(made, whole)
    whole_index = belongs[own].argmax(axis=1)
    predicted = of_whole[whole_index]
    shared = np.asarray(made[part].multiply(made[predicted]).sum(axis=1))
    values = shared.ravel() / np.maximum(made.sum(axis=1)[part], 1)
    values[~(whole_fits[whole_index] > 0)] = 0
    values = values[fits > 0]
    return math.fsum(values) / len(values) if len(values) else math.nan


def semantic_consistency(part_labels: LabelMap,
                         whole_labels: LabelMap,
                         parents: np.ndarray,
                         ignore_index: int = 255) -> float:
    """Share of pixels whose predicted whole is that of the predicted part.

    After the semantic consistency of SPIN (Myers-Dean et al., ECCV 2024).

    Args:
        part_labels (np.ndarray | Tensor): Predicted classes of parts, (H, W)
            integer in [0, C - 1], or ``ignore_index``.
        whole_labels (np.ndarray | Tensor): Predicted classes of wholes, (H,
            W) integer.
        parents (np.ndarray): (C,) integer, class of the whole of each class
            of parts; -1: pixels of this class are left out (background).
        ignore_index (int): Defaults to 255.

    Returns:
        float: In [0, 1]; NaN without a pixel.

    Example:
        >>> semantic_consistency(np.array([[0, 1, 2]]), np.array([[0, 0, 0]]),
        ...                      parents=np.array([0, 0, 1]))
        0.6666666666666666
    """
    parts, wholes = as_label_maps(
        part_labels=part_labels, whole_labels=whole_labels)
    parents = np.asarray(parents)
    valid = parts != ignore_index
    inside = parts[valid]
    if inside.size and not 0 <= inside.min() <= inside.max() < len(parents):
        raise ValueError(f'`part_labels` must lie in [0, {len(parents) - 1}], '
                         f'got {inside.min()} to {inside.max()}')
    expected = parents[inside]
    agrees = (expected == wholes[valid])[expected >= 0]
    return float(agrees.mean()) if agrees.size else math.nan


def _best_masks(made, true) -> tuple[np.ndarray, np.ndarray]:
    """Of each true mask, the predicted one of best IoU, and this IoU."""
    shared = (made @ true.T).toarray()
    union = made.sum(axis=1)[:, None] + true.sum(axis=1) - shared
    iou = shared / np.maximum(union, 1)
    return iou.argmax(axis=0), iou.max(axis=0)
