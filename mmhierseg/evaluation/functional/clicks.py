"""How many clicks a region takes: interactive segmentation by an oracle.

Legend: N masks, R regions, P atoms (sets of pixels that are in the same
masks), K clicks.
"""

import numpy as np
from scipy.sparse import csr_array

from .masks import Masks, mask_matrices


def click_curves(masks: Masks,
                 regions: Masks,
                 max_clicks: int = 20) -> np.ndarray:
    """IoU with each region after every click of an oracle.

    A click adds a mask of the hierarchy to the selection, or removes it. The
    oracle is greedy: it takes the mask that raises the IoU most, of equal
    ones the first, adding before removing, and stops if none does.

    Args:
        masks (np.ndarray | Tensor | Sequence[dict]): Masks to click at, see
            :func:`average_recall`: all segments of a tree, or any masks.
        regions (np.ndarray | Tensor | Sequence[dict]): What the user wants,
            likewise.
        max_clicks (int): K. Defaults to 20.

    Returns:
        np.ndarray: (R, K + 1) float64 in [0, 1], never falling; the first is
        0.

    Example:
        >>> masks = np.array([[[0, 0, 1, 2, 2, 2]], [[0, 0, 0, 0, 1, 1]]])
        >>> click_curves(masks, np.array([[0, 0, 0, -1, -1, -1]]), 3)
        array([[0.  , 0.75, 1.  , 1.  ]])
    """
    if not max_clicks >= 1:
        raise ValueError(f'`max_clicks` must be at least 1, got {max_clicks}')
    made, true = mask_matrices(masks=masks, regions=regions)
    curves = np.zeros((true.shape[0], max_clicks + 1))
    if not made.shape[0]:
        return curves
    nodes, atom = _atoms(made)
    total = np.bincount(atom, minlength=nodes.shape[1]).astype(np.float64)
    # (P, R): pixels of an atom in each region.
    to_atoms = csr_array((np.ones(len(atom)), (np.arange(len(atom)), atom)),
                         (len(atom), nodes.shape[1]))
    inside = (true @ to_atoms).toarray().T
    sizes = true.sum(axis=1)
    active = np.flatnonzero(sizes > 0)
    chosen = np.zeros(inside.shape, dtype=bool)
    for click in range(1, max_clicks + 1):
        curves[:, click] = curves[:, click - 1]
        if not len(active):
            continue
        best, node, add = _best_click(nodes, inside[:, active],
                                      chosen[:, active], total, sizes[active])
        better = best > curves[active, click]
        active, node, add = active[better], node[better], add[better]
        curves[active, click] = best[better]
        for region, one, value in zip(active, node, add):
            start, end = nodes.indptr[one:one + 2]
            chosen[nodes.indices[start:end], region] = value
    return curves


def number_of_clicks(curves: np.ndarray, iou: float = 0.9) -> np.ndarray:
    """Clicks until each curve reaches an IoU (NoC).

    Args:
        curves (np.ndarray): (R, K + 1), of :func:`click_curves`.
        iou (float): In (0, 1]. Defaults to 0.9.

    Returns:
        np.ndarray: (R,) int64 in [1, K]; K if it is never reached, as usual.

    Example:
        >>> number_of_clicks(np.array([[0., .8, .95], [0., .1, .2]]))
        array([2, 2])
    """
    if not 0 < iou <= 1:
        raise ValueError(f'`iou` must lie in (0, 1], got {iou}')
    reached = curves >= iou
    return np.where(reached.any(axis=1), reached.argmax(axis=1),
                    curves.shape[1] - 1)


def _atoms(made: csr_array) -> tuple[csr_array, np.ndarray]:
    """(N, P) masks of atoms, as numbers 0 and 1, and (H * W,) atoms."""
    # A sum of random numbers of 64 bits tells sets of masks apart.
    keys = np.random.default_rng(0).integers(2**63, size=made.shape[0])
    with np.errstate(over='ignore'):
        _, first, atom = np.unique(
            made.T @ keys, return_index=True, return_inverse=True)
    return made[:, first].astype(np.float64).tocsr(), atom


def _best_click(nodes: csr_array, inside: np.ndarray, chosen: np.ndarray,
                total: np.ndarray, sizes: np.ndarray) -> tuple:
    """For each region the best IoU, its mask, and whether that is added."""
    hits, area = inside * chosen, total[:, None] * chosen
    in_node, area_in_node = nodes @ hits, nodes @ area
    all_hits, all_area = hits.sum(axis=0), area.sum(axis=0)
    found = []
    for hit, size in (
        (all_hits + nodes @ inside - in_node,
         all_area + (nodes @ total)[:, None] - area_in_node),
        (all_hits - in_node, all_area - area_in_node)):
        found.append(hit / (sizes + size - hit))
    iou = np.concatenate(found)
    index = iou.argmax(axis=0)
    node = index % nodes.shape[0]
    return iou.max(axis=0), node, index < nodes.shape[0]
