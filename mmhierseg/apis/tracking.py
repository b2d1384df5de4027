"""Ids and colours of segments that stay from frame to frame of a video.

Legend: N segments of a label map, C channels of a token.
"""

from typing import NamedTuple

import numpy as np

from mmhierseg.visualization.colors import lab_to_rgb, track_colors

from .hierarchy_result import HierarchyResult
from .label_maps import count_overlaps, match_segments


class _Segments(NamedTuple):
    """Segments of one label map of the last frame."""
    labels: np.ndarray  # (H, W) int32
    tokens: np.ndarray  # (N, C) float32
    ids: np.ndarray  # (N,) int64
    lab: np.ndarray  # (N, 3), colours
    unused: int  # the first id that no segment has had


class SegmentTracker:
    """Gives the segments of successive frames their ids and colours.

    A segment has the id and the colour of the one in the frame before that it
    matches best, see :func:`~mmhierseg.apis.label_maps.match_segments`; a new
    one has a new id, and a shade of the colour of its parent. Only the last
    frame is kept.
    """

    def __init__(self) -> None:
        self._last: list[_Segments] = []

    def update(self, result: HierarchyResult) -> None:
        """Set ``result.tracks`` and, (N, 3) uint8 each, its ``colors``."""
        maps, tokens = result.chosen, result.tokens(0)
        last = self._last
        if [one.labels.shape for one in last] != [x.shape for x in maps]:
            last = [None] * len(maps)
        found: list[_Segments] = []
        for depth, labels in enumerate(reversed(maps)):
            number = int(labels.max(initial=-1)) + 1
            # Means over the superpixels, of any segments.
            shares = count_overlaps(labels, result.levels[0],
                                    (number, len(tokens)))
            above = found[0] if found else None
            found.insert(0, _follow(last[-1 - depth], labels, shares @ tokens,
                                    above, depth))
        self._last = found
        result.tracks = [one.ids for one in found]
        result.extra['colors'] = [lab_to_rgb(one.lab) for one in found]


def _follow(last: _Segments | None, labels: np.ndarray, tokens: np.ndarray,
            above: _Segments | None, depth: int) -> _Segments:
    """Carry over ids and colours to the segments of a label map."""
    match = np.full(len(tokens), -1)
    if last is not None:
        match = match_segments(last.labels, labels, last.tokens, tokens)
    new = match < 0
    unused = 0 if last is None else last.unused
    ids = np.empty(len(tokens), np.int64)
    ids[new] = unused + np.arange(new.sum())
    lab = np.empty((len(tokens), 3))
    if last is not None:
        ids[~new], lab[~new] = last.ids[match[~new]], last.lab[match[~new]]
    parents = None
    if above is not None:
        parent = np.zeros(len(tokens), np.int64)
        inside = labels >= 0
        parent[labels[inside]] = above.labels[inside]
        parents = above.lab[parent[new]]
    lab[new] = track_colors(ids[new], parents, depth)
    return _Segments(labels, tokens, ids, lab, unused + int(new.sum()))
