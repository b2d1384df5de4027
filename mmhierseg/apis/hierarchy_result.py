"""The hierarchy of one image, as a user gets it.

Legend: H x W pixels of the image, N_l segments at level l, level 0 the
finest (superpixels). Segments of a level are numbered from 0 without gaps; -1
marks pixels without a segment.
"""

import html
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from mmhierseg.structures import (
    SegmentHierarchy,
    cut_tree,
    merge_tree,
    token_distances,
)
from mmhierseg.visualization import hierarchy_page

from .label_maps import adjacency, coco_annotations, paint, split_connected
from .result_files import read_result, write_result


class HierarchyResult:
    """Nested segments of an image, at every number from one to the finest.

    Args:
        labels (np.ndarray): (H, W) integer, superpixels in [0, N_0 - 1], each
            of them at least once; -1 = none.
        parents (Sequence[np.ndarray]): Per step up, (N_l,) integers in
            [0, N_{l+1} - 1], each of them at least once.
        features (Sequence[np.ndarray], optional): Per level, (N_l, C) float.
            None: colours order the merges, so ``image`` is needed.
        assignments (Sequence[np.ndarray], optional): Per step up,
            (N_l, N_{l+1}) float, soft assignments.
        image (np.ndarray, optional): (H, W, 3) uint8, RGB.
        name (str): Of the image.
        linkage (np.ndarray, optional): The merge tree, if it is known.
        **extra: Other entries for ``result[key]``.

    Example:
        >>> result = HierarchyResult(
        ...     np.array([[0, 0, 1], [2, 2, 1]]), [np.array([0, 1, 0])],
        ...     [np.eye(3), np.eye(2)])
        >>> result.num_segments
        [3, 2]
        >>> result.cut(2)
        array([[0, 0, 1],
               [0, 0, 1]], dtype=int32)
        >>> result.segments_at(2, 0)
        [(0, 1), (1, 1)]
    """

    def __init__(self,
                 labels: np.ndarray,
                 parents: Sequence[np.ndarray],
                 features: Sequence[np.ndarray] | None = None,
                 assignments: Sequence[np.ndarray] | None = None,
                 image: np.ndarray | None = None,
                 name: str = '',
                 linkage: np.ndarray | None = None,
                 **extra: Any) -> None:
        self.name, self.image, self.extra = name, image, extra
        #: Of a frame of a video, per map of :attr:`chosen`, (N,) ids that its
        #: segments have in all frames; ``result['label_maps']`` holds them.
        self.tracks: list[np.ndarray] = []
        self.select(None)
        self._parents = [np.asarray(x, np.int32) for x in parents]
        self._features = None if features is None else [
            np.asarray(x, np.float32) for x in features]
        self._assignments = assignments
        self._labels = np.asarray(labels, np.int32)
        if self._labels.ndim != 2:
            raise ValueError(f'`labels` must have shape (H, W), got '
                             f'{self._labels.shape}')
        if linkage is not None:
            self.linkage = linkage

    # --------------------------------------------------------- segments

    @property
    def hierarchy(self) -> SegmentHierarchy:
        """SegmentHierarchy: The levels, for metrics and models."""
        return SegmentHierarchy(
            torch.from_numpy(self._labels)[None].long(),
            [torch.from_numpy(x)[None].long() for x in self._parents])

    @property
    def image_size(self) -> tuple[int, int]:
        """tuple[int, int]: (H, W)."""
        return self._labels.shape

    @cached_property
    def num_segments(self) -> list[int]:
        """list[int]: N_l of each level."""
        return [int(x.max(initial=-1)) + 1 for x in self._ancestors]

    @cached_property
    def _ancestors(self) -> list[np.ndarray]:
        """(N_0,) ancestors of the superpixels at each level."""
        found = [np.arange(int(self._labels.max(initial=-1)) + 1,
                           dtype=np.int32)]
        for parent in self._parents:
            found.append(parent[found[-1]])
        return found

    @cached_property
    def levels(self) -> list[np.ndarray]:
        """list[np.ndarray]: (H, W) int32 label maps, fine to coarse."""
        return [self._labels, *map(self._paint, self._ancestors[1:])]

    @cached_property
    def linkage(self) -> np.ndarray:
        """np.ndarray: (N_0 - 1, 4), the merge tree as SciPy has it.

        Heights in (l, l + 1] lead from level l to the next, those above the
        last level to one segment.
        """
        return self._merge()

    def _merge(self, neighbours: bool = False) -> np.ndarray:
        distances = []
        for level, labels in enumerate(self.levels):
            soft = None
            if self._assignments is not None and level < len(self._parents):
                soft = self._assignments[level]
            distances.append(token_distances(
                self.tokens(level), soft,
                adjacency(labels, self.num_segments[level])
                if neighbours else None))
        return merge_tree(self._parents, distances)

    def tokens(self, level: int) -> np.ndarray:
        """(N, C) :meth:`features`, or mean colours without such."""
        if self._features is not None and len(self._features) > level:
            return self._features[level]
        if self.image is None:
            raise ValueError('without `features`, merges need the `image`')
        index = np.arange(self.num_segments[level])
        return np.stack([
            ndimage.mean(self.image[..., i], self.levels[level], index)
            for i in range(3)
        ], 1)

    def cut(self, k: int, connected: bool = False,
            adjacent: bool = False) -> np.ndarray:
        """Segmentation into a number of segments; coarser ones contain it.

        Args:
            k (int): Number of segments, in [1, N_0]. ``num_segments[l]`` gives
                level l.
            connected (bool): Whether to split segments into their connected
                pieces, which may be more than ``k``.
            adjacent (bool): Whether segments that touch merge first, by a
                merge tree of their own.

        Returns:
            np.ndarray: (H, W) int32 in [0, k - 1], -1 = none.

        Raises:
            ValueError: If there is no such number of segments.
        """
        if not isinstance(k, (int, np.integer)) or isinstance(k, bool):
            raise TypeError(f'`k` must be an integer, got {k!r}')
        tree = self._adjacent_linkage if adjacent else self.linkage
        found = self._paint(cut_tree(tree, k))
        return split_connected(found) if connected else found

    @cached_property
    def _adjacent_linkage(self) -> np.ndarray:
        return self._merge(neighbours=True)

    def _paint(self, of_superpixel: np.ndarray) -> np.ndarray:
        """Label map of a number for each superpixel."""
        return paint(np.append(of_superpixel, -1), self._labels)

    def segments_at(self, x: int, y: int) -> list[tuple[int, int]]:
        """Segments of a pixel as (level, id), fine to coarse.

        Args:
            x (int): Column.
            y (int): Row.

        Raises:
            ValueError: If the point is outside of the image.
        """
        height, width = self.image_size
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(f'(x, y) must lie in the image, {width} x '
                             f'{height} pixels, got ({x}, {y})')
        superpixel = self._labels[int(y), int(x)]
        if superpixel < 0:
            return []
        return [(level, int(ids[superpixel]))
                for level, ids in enumerate(self._ancestors)]

    def mask(self, level: int, id: int) -> np.ndarray:
        """(H, W) bool, the pixels of a segment."""
        number = self.num_segments[level]
        if not 0 <= id < number:
            raise ValueError(f'`id` must lie in [0, {number - 1}] at level '
                             f'{level}, got {id}')
        return self.levels[level] == id

    def masks(self, level: int) -> np.ndarray:
        """(N, H, W) bool, the pixels of all segments of a level."""
        ids = np.arange(self.num_segments[level])
        return self.levels[level] == ids[:, None, None]

    def areas(self, level: int) -> np.ndarray:
        """(N,) int64, pixels of each segment of a level."""
        return np.bincount(self.levels[level].ravel() + 1,
                           minlength=self.num_segments[level] + 1)[1:]

    def boxes(self, level: int) -> np.ndarray:
        """(N, 4) int32, x0, y0, x1, y1 of each segment; ends are exclusive."""
        return np.array([(x.start, y.start, x.stop, y.stop) for y, x in
                         ndimage.find_objects(self.levels[level] + 1)],
                        np.int32).reshape(-1, 4)

    def features(self, level: int) -> np.ndarray:
        """(N, C) float32, the model's tokens of the segments of a level.

        Raises:
            ValueError: If the model has none at this level.
        """
        count = len(self._features or ())
        if not -count <= level < count:
            raise ValueError(f'there are features of {count} levels, got '
                             f'level {level}')
        return self._features[level]

    # ------------------------------------------------------------ files

    def to_coco(self, level: int | None = None,
                k: int | None = None) -> list[dict]:
        """Annotations of COCO with masks as RLE, without image ids.

        Args:
            level (int, optional): The level. None: all of them, or the cut.
            k (int, optional): Number of segments of a :meth:`cut` instead.
        """
        if level is not None and k is not None:
            raise ValueError('give `level` or `k`, not both')
        if k is not None:
            return coco_annotations([self.cut(k)])
        chosen = range(len(self.levels)) if level is None else [level]
        return coco_annotations([self.levels[i] for i in chosen], chosen)

    def save(self, path: str | Path) -> None:
        """Write everything into one ``.npz``; see :meth:`load`."""
        write_result(
            path, dict(name=self.name, chosen=self._choice), self.image,
            dict(labels=self._labels, linkage=self.linkage),
            dict(parents=self._parents, features=self._features or (),
                 tracks=self.tracks))

    @classmethod
    def load(cls, path: str | Path) -> 'HierarchyResult':
        """Read what :meth:`save` has written.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is another file, or of another version.
        """
        info, image, (labels, linkage), (parents, features, tracks) = (
            read_result(path, ('labels', 'linkage'),
                        ('parents', 'features', 'tracks')))
        result = cls(labels, parents, features or None, image=image,
                     name=info['name'], linkage=linkage)
        result.select(*info.get('chosen', [None]))
        result.tracks = tracks
        return result

    def to_html(self, path: str | Path) -> None:
        """Write a page to look at: one file that needs no network.

        A slider goes from one segment to all superpixels; segments can be
        selected by clicks and downloaded.
        """
        Path(path).write_text(self._page(), encoding='utf-8')

    def _page(self) -> str:
        if self.image is None:
            raise ValueError('a page shows the `image`; this result has none')
        return hierarchy_page(self.image, self._labels, self.linkage,
                              self.name, min(8, self.num_segments[0]))

    def _repr_html_(self) -> str:
        """In a notebook, the page."""
        if self.image is None:
            return f'<pre>{html.escape(repr(self))}</pre>'
        return (f'<iframe srcdoc="{html.escape(self._page())}" width="100%" '
                'height="640" style="border:0"></iframe>')

    # ---------------------------------------------------- as a dict

    def select(self, k: int | None, connected: bool = False) -> None:
        """Let ``result['label_maps']`` be one :meth:`cut`; None: the levels.

        With fewer superpixels than ``k``, it is the superpixels.
        """
        self._choice = k, connected
        self._cut = None if k is None else [
            self.cut(min(k, self.num_segments[0]), connected)]

    @property
    def chosen(self) -> list[np.ndarray]:
        """list[np.ndarray]: (H, W) int32 maps that :meth:`select` chose."""
        return self.levels if self._cut is None else self._cut

    def __getitem__(self, key: str) -> Any:
        """``name``, ``label_maps``, ``num_segments``, and what was given."""
        if key == 'label_maps' and self.tracks:
            return [np.append(ids, -1).astype(np.int32)[labels]
                    for ids, labels in zip(self.tracks, self.chosen)]
        if key == 'label_maps':
            return self.chosen
        if key == 'num_segments':
            return self.num_segments if self._cut is None else [
                int(x.max(initial=-1)) + 1 for x in self._cut]
        return {'name': self.name, **self.extra}[key]

    def __repr__(self) -> str:
        height, width = self.image_size
        return (f'{type(self).__name__}({self.name!r}, {width} x {height}, '
                f'segments={self.num_segments})')
