"""Ultrametric contour map: regions that merge along their weakest boundary.

Arbelaez et al., "Contour Detection and Hierarchical Image Segmentation",
TPAMI 2011, section 4.2. The two neighbours whose common boundary is the
weakest in the mean are merged, again and again, until there is one region.
That mean never falls from one merge to the next: boundaries that become one
have a mean between their own. So the merges are a tree whose heights rise
towards the root, and the regions at a threshold nest in those at any higher
one.

Legend: N regions, 0..N-1; merge k (0..N-2) makes region N + k of two others.
"""

import heapq
from typing import Dict, List, Optional, Tuple

import numpy as np

from .boundaries import RegionGraph

__all__ = ['UltrametricContourMap']


class UltrametricContourMap:
    """Regions of an image at every level of detail.

    Args:
        graph (RegionGraph): The finest regions and their boundaries.

    Attributes:
        parents (np.ndarray): (2N - 1,) int64, the region that each one
            becomes a part of; the last, the whole image, is its own parent.
        heights (np.ndarray): (N - 1,) float64, rising: the strength of the
            boundary at which each merge takes place.

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
        count = int(graph.labels.max()) + 1
        self.parents, self.heights, self._arc_heights = _merge_all(
            count, graph)

    @property
    def num_regions(self) -> int:
        """Number N of the finest regions."""
        return len(self.heights) + 1

    def labels(self,
               threshold: Optional[float] = None,
               num_regions: Optional[int] = None) -> np.ndarray:
        """Regions at a level of detail.

        Args:
            threshold (float, optional): Boundaries that are not stronger are
                gone. Defaults to None.
            num_regions (int, optional): The most regions there may be.
                Defaults to None.

        Returns:
            np.ndarray: (H, W) int32, 0.., every one in use. With both
            arguments, merging goes on until both hold; with none, these are
            the finest regions.

        Raises:
            ValueError: If ``num_regions`` is below 1.
        """
        if num_regions is not None and num_regions < 1:
            raise ValueError('`num_regions` must be at least 1, got '
                             f'{num_regions}')
        merges = 0
        if threshold is not None:
            merges = int(np.searchsorted(self.heights, threshold, 'right'))
        if num_regions is not None:
            merges = max(merges, self.num_regions - num_regions)
        roots = self._roots(merges)
        # Numbered by their first pixel in reading order, whatever was merged.
        maps = roots[self._graph.labels]
        _, first, inverse = np.unique(
            maps.ravel(), return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int32)
        rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
        return rank[inverse].reshape(maps.shape)

    def contour_map(self) -> np.ndarray:
        """The map itself: at which threshold each boundary goes.

        Returns:
            np.ndarray: (H, W) float32; a pixel has the height at which it and
            its neighbour to the right or below become one region, the larger
            of the two; 0 inside the finest regions.
        """
        labels = self._graph.labels
        count = self.num_regions
        keys = self._graph.arcs[:, 0] * count + self._graph.arcs[:, 1]
        result = np.zeros(labels.shape, dtype=np.float32)
        for here, one, other in ((np.s_[:-1], labels[:-1], labels[1:]),
                                 (np.s_[:, :-1], labels[:, :-1],
                                  labels[:, 1:])):
            differ = one != other
            low, high = np.minimum(one, other), np.maximum(one, other)
            key = low[differ].astype(np.int64) * count + high[differ]
            heights = np.zeros(one.shape, dtype=np.float32)
            heights[differ] = self._arc_heights[np.searchsorted(keys, key)]
            result[here] = np.maximum(result[here], heights)
        return result

    def _roots(self, merges: int) -> np.ndarray:
        """Region that each of the finest is in after some merges, (N,)."""
        made = self.num_regions + merges
        # Whatever is made later does not exist yet.
        parents = np.where(self.parents < made, self.parents,
                           np.arange(len(self.parents)))
        return _to_roots(parents)[:self.num_regions]


def _to_roots(parents: np.ndarray) -> np.ndarray:
    """Root of each node of a forest, by doubling the steps."""
    while True:
        further = parents[parents]
        if np.array_equal(further, parents):
            return parents
        parents = further


def _merge_all(
        count: int,
        graph: RegionGraph) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge until one region is left.

    Returns the parents (2 count - 1,), the heights (count - 1,) and the
    height (A,) at which each arc is gone.
    """
    merging = _Merging(count, graph)
    parents = np.arange(2 * count - 1)
    heights = np.zeros(count - 1)
    arc_heights = np.zeros(len(graph.arcs))
    node = list(range(count))
    for k in range(count - 1):
        height, arc = merging.weakest()
        # Above the last one but for rounding.
        height = heights[k] = max(height, heights[k - 1] if k else 0.)
        arc_heights[arc] = height
        kept, gone = merging.merge(arc)
        parents[node[kept]] = parents[node[gone]] = count + k
        node[kept] = count + k
    return parents, heights, arc_heights[_to_roots(
        np.array(merging.arc_parents, dtype=np.int64))]


class _Merging:
    """Regions and arcs while regions merge.

    Python's own numbers, lists and dicts: an entry at a time, they are
    several times faster than arrays.
    """

    def __init__(self, count: int, graph: RegionGraph) -> None:
        self.strengths: List[float] = graph.strengths.tolist()
        self.lengths: List[int] = graph.lengths.tolist()
        self.ends: List[List[int]] = graph.arcs.tolist()
        #: Arc that an arc has become a part of, or itself.
        self.arc_parents = list(range(len(self.ends)))
        #: Of each region: its neighbours, and the arcs that lead there.
        self.neighbours: List[Dict[int, int]] = [{} for _ in range(count)]
        for arc, (one, other) in enumerate(self.ends):
            self.neighbours[one][other] = self.neighbours[other][one] = arc
        self.means = [
            strength / length
            for strength, length in zip(self.strengths, self.lengths)
        ]
        #: Means of arcs; those that have changed are still in it. The number
        #: of the arc decides between equals.
        self.heap = [(mean, arc) for arc, mean in enumerate(self.means)]
        heapq.heapify(self.heap)

    def weakest(self) -> Tuple[float, int]:
        """Mean and number of the weakest arc; it is off the heap then."""
        while True:
            mean, arc = heapq.heappop(self.heap)
            if self.arc_parents[arc] == arc and self.means[arc] == mean:
                return mean, arc

    def merge(self, arc: int) -> Tuple[int, int]:
        """Merge the regions of an arc: the one that is kept, and the other."""
        kept, gone = self.ends[arc]
        if len(self.neighbours[kept]) < len(self.neighbours[gone]):
            kept, gone = gone, kept
        self.means[arc] = -1.
        del self.neighbours[kept][gone], self.neighbours[gone][kept]
        for region, moved in self.neighbours[gone].items():
            del self.neighbours[region][gone]
            if region in self.neighbours[kept]:
                self._join(self.neighbours[kept][region], moved)
            else:
                self.neighbours[kept][region] = moved
                self.neighbours[region][kept] = moved
                self.ends[moved] = [kept, region]
        self.neighbours[gone] = {}
        return kept, gone

    def _join(self, arc: int, other: int) -> None:
        """Make an arc a part of another."""
        self.arc_parents[other] = arc
        self.strengths[arc] += self.strengths[other]
        self.lengths[arc] += self.lengths[other]
        mean = self.strengths[arc] / self.lengths[arc]
        self.means[arc] = mean
        heapq.heappush(self.heap, (mean, arc))
