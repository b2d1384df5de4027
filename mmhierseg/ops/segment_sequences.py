"""Sequences of segments, one for each image, padded to a common length.

HSG (Ke et al., CVPR 2022, Sec. 3): the segments of all views of an image are
one sequence. How many there are differs, so sequences are padded at the end.

Legend: N segments of the batch, V views, B images, L length of the sequences,
C channels. Labels are int64, -1 = none.
"""

from typing import NamedTuple, Optional

import torch
from torch import Tensor

from .label_maps import joint_labels


class SegmentSequences(NamedTuple):
    """Where the segments of a batch are in the sequences of its images."""

    slots: Tensor
    """(N,) int64 in [0, B L - 1]: place of each segment in all sequences."""

    images: Tensor
    """(N,) int64 in [0, B - 1]: image of each segment, by the rank of its
    number among those of the batch."""

    views: Tensor
    """(B, L) int64 in [-1, V - 1]: view of the segment at each place."""

    padding: Tensor
    """(B, L) bool: True where there is no segment."""

    longest: int
    """Segments of the image that has most, in [1, L]: places from there on
    are padding in all sequences. (1 where there is no segment at all.)"""

    def pad(self, rows: Tensor) -> Tensor:
        """Rows of the segments, (N, C), as sequences (B, L, C), zero-padded.

        Gradients flow back to the rows.
        """
        batch, length = self.padding.shape
        sequences = rows.new_zeros(batch * length, rows.size(1))
        sequences.index_copy_(0, self.slots, rows)
        return sequences.view(batch, length, -1)

    def unpad(self, sequences: Tensor) -> Tensor:
        """Sequences (B, L, ...) as rows of the segments, (N, ...)."""
        return sequences.flatten(0, 1)[self.slots]


def segment_sequences(views: Tensor,
                      image_index: Tensor,
                      pad_length: Optional[int] = None) -> SegmentSequences:
    """Order the segments of a batch into sequences.

    Images are in the order of their numbers, segments of an image in the
    order of their views and, within a view, in that of the batch.

    Args:
        views (Tensor): (N,) int64 in [0, V - 1], view of each segment.
        image_index (Tensor): (V,) int64, image of each view, of any numbers;
            views of an image need not be neighbours.
        pad_length (int, optional): Least L. A longer sequence is kept whole,
            and L is its length. Defaults to None: L is the length of the
            longest (1 where there is no segment at all).

    Returns:
        SegmentSequences: An image without a segment is nothing but padding.

    Raises:
        ValueError: If shapes do not fit or ``pad_length`` is below 1.

    Example:
        >>> views = torch.tensor([0, 0, 1, 2])
        >>> sequences = segment_sequences(views, torch.tensor([8, 3, 8]))
        >>> sequences.views
        tensor([[ 1, -1, -1],
                [ 0,  0,  2]])
        >>> sequences.pad(torch.tensor([[1.], [2.], [3.], [4.]]))[..., 0]
        tensor([[3., 0., 0.],
                [1., 2., 4.]])
    """
    if views.dim() != 1 or image_index.dim() != 1 or not len(image_index):
        raise ValueError(
            '`views` and `image_index` must have shapes (N,) and (V,), V at '
            f'least 1, got {tuple(views.shape)} and '
            f'{tuple(image_index.shape)}')
    if pad_length is not None and pad_length < 1:
        raise ValueError(f'`pad_length` must be at least 1, got {pad_length}')
    image_of_view, batch = joint_labels(image_index)
    images = image_of_view[views]
    counts = torch.bincount(images, minlength=batch)
    longest = max(int(counts.max()), 1)
    length = max(longest, pad_length or 1)
    # Two stable sorts: by image, and by view within one.
    order = views.argsort(stable=True)
    order = order[images[order].argsort(stable=True)]
    first = counts.cumsum(0) - counts
    rank = torch.arange(len(views), device=views.device)
    slots = torch.empty_like(views)
    slots[order] = rank + (images * length - first[images])[order]
    view_at = views.new_full((batch * length, ), -1)
    view_at[slots] = views
    view_at = view_at.view(batch, length)
    return SegmentSequences(slots, images, view_at, view_at < 0, longest)
