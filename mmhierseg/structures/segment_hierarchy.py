"""A hierarchy of segments: a label map and the parents of each level.

Legend: B images, N_l segments at level l (level 0 the finest), C channels,
H x W pixels. Labels and parents are int64, -1 = none.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from mmhierseg.ops import look_up_parents, tokens_to_map
from mmhierseg.ops.checks import check_dtype, check_range


class SegmentHierarchy:
    """Nested segmentations of a batch of images, from fine to coarse.

    Level 0 is a label map; every further level is given by the parents of the
    segments one level below (CAST, Sec. 3.2). Levels are nested by
    construction: pixels that share a segment share all of its ancestors.

    Args:
        labels (Tensor): Segments of level 0, (B, H, W) int64 in
            [-1, N_0 - 1]; -1 = the pixel has no segment at any level.
        parents (Sequence[Tensor]): Per step up, (B, N_l) int64;
            ``parents[l][b, i]`` in [-1, N_{l+1} - 1] is the segment of level
            l + 1 that segment i of level l belongs to. Images may have fewer
            than N_l segments; methods that map pixels ignore other entries.

    Raises:
        TypeError: If ``labels`` or a parent table is not an int64 tensor.
        ValueError: If shapes do not match, or an index exceeds the next table.

    Example:
        >>> labels = torch.tensor([[[0, 0, 1], [2, 2, -1]]])
        >>> parents = [torch.tensor([[1, 1, 0]])]
        >>> hierarchy = SegmentHierarchy(labels, parents)
        >>> hierarchy.num_levels
        2
        >>> hierarchy.label_map(1)
        tensor([[[ 1,  1,  1],
                 [ 0,  0, -1]]])
    """

    def __init__(self, labels: Tensor, parents: Sequence[Tensor]) -> None:
        check_dtype(torch.int64, labels=labels)
        if labels.dim() != 3:
            raise ValueError('`labels` must have shape (B, H, W), got '
                             f'{tuple(labels.shape)}')
        for level, parent in enumerate(parents):
            check_dtype(torch.int64, **{f'parents[{level}]': parent})
            if parent.dim() != 2 or parent.size(0) != labels.size(0):
                raise ValueError(
                    f'`parents[{level}]` must have shape (B, N_{level}) with '
                    f'B = {labels.size(0)}, got {tuple(parent.shape)}')
        self.labels = labels
        self.parents: list[Tensor] = list(parents)
        # The coarsest segments have no table that limits their number.
        sizes = [*(parent.size(1) for parent in parents), 2**63 - 1]
        for level, index in enumerate([labels, *parents]):
            name = f'parents[{level - 1}]' if level else 'labels'
            check_range(sizes[level], least=-1, **{name: index})

    @property
    def num_levels(self) -> int:
        """int: Number of levels, including the label map."""
        return len(self.parents) + 1

    @property
    def device(self) -> torch.device:
        """torch.device: Device of the label map."""
        return self.labels.device

    def assignment(self, level: int) -> Tensor:
        """Ancestor of every segment of level 0 at a level, (B, N_0) int64.

        -1 where there is none. Negative levels count from the coarsest; an
        IndexError is raised if there is no such level.
        """
        level = self._level(level)
        if level == 0:
            number = (
                self.parents[0].size(1) if self.parents else
                int(self.labels.max()) + 1 if self.labels.numel() else 0)
            indices = torch.arange(number, device=self.device)
            return indices.expand(self.labels.size(0), number)
        assignment = self.parents[0]
        for parent in self.parents[1:level]:
            assignment = look_up_parents(parent, assignment)
        return assignment

    def label_map(self, level: int) -> Tensor:
        """Segmentation at a level, (B, H, W) int64; -1 = no segment.

        Negative levels count from the coarsest.
        """
        level = self._level(level)
        if level == 0:
            return self.labels
        return look_up_parents(self.assignment(level), self.labels)

    def scatter(self, tokens: Tensor, level: int) -> Tensor:
        """Write a vector per segment to the segment's pixels.

        Args:
            tokens (Tensor): (B, N_l, C), any dtype.
            level (int): Level l that the rows belong to.

        Returns:
            Tensor: (B, C, H, W); zero where a pixel has no segment.

        Raises:
            ValueError: If the number of images or rows does not fit.
        """
        return tokens_to_map(tokens, self.label_map(level), stride=1)

    def to(self, device: str | torch.device) -> 'SegmentHierarchy':
        """Copy of the hierarchy on a device."""
        moved = copy.copy(self)
        moved.labels = self.labels.to(device)
        moved.parents = [parent.to(device) for parent in self.parents]
        return moved

    def cpu(self) -> 'SegmentHierarchy':
        """Copy of the hierarchy in main memory."""
        return self.to('cpu')

    def __repr__(self) -> str:
        sizes = [parent.size(1) for parent in self.parents]
        return (f'{type(self).__name__}(num_levels={self.num_levels}, '
                f'images={len(self.labels)}, '
                f'size={tuple(self.labels.shape[1:])}, table_sizes={sizes})')

    def _level(self, level: int) -> int:
        if not -self.num_levels <= level < self.num_levels:
            raise IndexError(f'`level` must lie in [0, {self.num_levels - 1}]'
                             f', got {level}')
        return level % self.num_levels
