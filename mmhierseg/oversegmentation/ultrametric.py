"""Ultrametric contour map: regions that merge along their weakest boundary.

Arbelaez et al., "Contour Detection and Hierarchical Image Segmentation",
TPAMI 2011, section 4.2. The two neighbours with the weakest mean boundary are
merged repeatedly, until one region is left. That mean never falls, because the
mean of a joined boundary lies between those of its parts. So the merges form a
tree whose heights rise towards the root, and the regions at a threshold nest
in those at any higher one.

Legend: N regions, 0..N-1; merge k (0..N-2) makes region N + k of two others.
"""

import heapq
import math

import numpy as np

from mmhierseg._base.checks import check_number

from .boundaries import RegionGraph

#: Step by which a threshold is raised while there are too many regions.
_STEP = 0.01


class UltrametricContourMap:
    """Regions of an image at every level of detail.

    Args:
        graph (RegionGraph): The finest regions and their boundaries.

    Attributes:
        parents (np.ndarray): (2N - 1,) int64, the region that each region is
            merged into; the last, the whole image, is its own parent.
        heights (np.ndarray): (N - 1,) float64, rising: strength of the
            boundary that each merge removes.

    Example:
        >>> labels = np.array([[0, 1, 2]], dtype=np.int32)
        >>> graph = RegionGraph(labels, np.array([[0, 1], [1, 2]]),
        ...                     strengths=np.array([0.6, 0.2]),
        ...                     lengths=np.array([1, 1]))
        >>> ucm = UltrametricContourMap(graph)
        >>> ucm.labels(threshold=0.5), ucm.heights
        (array([[0, 1, 1]], dtype=int32), array([0.2, 0.6]))
    """

    def __init__(self, graph: RegionGraph) -> None:
        self._graph = graph
        self.parents, self.heights, self._arc_heights = _merge_all(graph)

    @property
    def num_regions(self) -> int:
        """int: Number N of the finest regions."""
        return len(self.heights) + 1

    def labels(self,
               threshold: float | None = None,
               num_regions: int | None = None) -> np.ndarray:
        """Regions at a level of detail.

        Args:
            threshold (float, optional): Boundaries up to this strength are
                removed. Defaults to None.
            num_regions (int, optional): Maximum number of regions. If there
                are more at ``threshold``, it is raised in steps of 0.01;
                without it, the weakest boundaries are removed one by one.
                Defaults to None.

        Returns:
            np.ndarray: (H, W) int32, 0.., every one in use.
        """
        merges = 0
        if num_regions is not None:
            check_number('num_regions', num_regions, 1, whole=True)
            merges = max(self.num_regions - num_regions, 0)
        if threshold is not None:
            if merges:
                # The height of the last merge that is needed.
                missing = self.heights[merges - 1] - threshold
                threshold += max(math.ceil(missing / _STEP), 0) * _STEP
            merges = max(merges, int(
                np.searchsorted(self.heights, threshold, 'right')))
        # Regions that later merges make do not exist yet.
        exists = self.parents < self.num_regions + merges
        roots = _to_roots(
            np.where(exists, self.parents, np.arange(len(self.parents))))
        maps = roots[self._graph.labels]
        # Numbered by their first pixel in reading order.
        _, first, inverse = np.unique(
            maps, return_index=True, return_inverse=True)
        rank = first.argsort().argsort().astype(np.int32)
        return rank[inverse].reshape(maps.shape)

    def contour_map(self) -> np.ndarray:
        """Threshold at which each boundary is removed, (H, W) float32.

        A pixel has the height at which it and its neighbour to the right or
        below become one region, the larger of the two; 0 inside the finest
        regions.
        """
        labels, number = self._graph.labels.astype(np.int64), self.num_regions
        keys = self._graph.arcs @ (number, 1)
        arc_heights = np.append(self._arc_heights, 0).astype(np.float32)
        result = np.zeros(labels.shape, dtype=np.float32)
        for here, there in ((np.s_[:-1], np.s_[1:]),
                            (np.s_[:, :-1], np.s_[:, 1:])):
            low = np.minimum(labels[here], labels[there])
            high = np.maximum(labels[here], labels[there])
            arc = np.searchsorted(keys, low * number + high)
            heights = np.where(low == high, 0, arc_heights[arc])
            result[here] = np.maximum(result[here], heights)
        return result


def _to_roots(parents: np.ndarray) -> np.ndarray:
    """Root of each node of a forest, by pointer doubling."""
    while True:
        further = parents[parents]
        if np.array_equal(further, parents):
            return parents
        parents = further


def _merge_all(graph: RegionGraph) -> tuple[np.ndarray, ...]:
    """Merge until one region is left: parents, heights, heights of arcs."""
    count = int(graph.labels.max()) + 1
    parents, heights = np.arange(2 * count - 1), np.zeros(count - 1)
    arc_heights = np.zeros(len(graph.arcs))
    # Lists and dicts are several times faster than arrays, entry by entry.
    ends, strengths, lengths = (x.tolist() for x in graph[1:])
    node, arc_parents = list(range(count)), list(range(len(ends)))
    # For each region its neighbours and the arcs to them.
    neighbours: list[dict[int, int]] = [{} for _ in range(count)]
    for arc, (one, other) in enumerate(ends):
        neighbours[one][other] = neighbours[other][one] = arc
    # The number of the arc breaks ties; entries with another length than the
    # arc has are outdated.
    heap = [(strength / length, arc, length)
            for arc, (strength, length) in enumerate(zip(strengths, lengths))]
    heapq.heapify(heap)
    for k in range(count - 1):
        mean, arc, length = heapq.heappop(heap)
        while length != lengths[arc]:
            mean, arc, length = heapq.heappop(heap)
        # Never below the last one but for rounding.
        heights[k] = arc_heights[arc] = max(mean, heights[k - 1] if k else 0.)
        kept, gone = ends[arc]
        if len(neighbours[kept]) < len(neighbours[gone]):
            kept, gone = gone, kept
        parents[node[kept]] = parents[node[gone]] = node[kept] = count + k
        lengths[arc] = 0
        del neighbours[kept][gone], neighbours[gone][kept]
        for region, moved in neighbours[gone].items():
            del neighbours[region][gone]
            if region not in neighbours[kept]:
                neighbours[kept][region] = neighbours[region][kept] = moved
                ends[moved] = [kept, region]
                continue
            joined = arc_parents[moved] = neighbours[kept][region]
            strengths[joined] += strengths[moved]
            lengths[joined] += lengths[moved]
            lengths[moved] = 0
            heapq.heappush(heap, (strengths[joined] / lengths[joined], joined,
                                  lengths[joined]))
    roots = _to_roots(np.array(arc_parents, dtype=np.int64))
    return parents, heights, arc_heights[roots]
