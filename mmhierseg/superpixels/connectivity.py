"""Connected segments: components of a label map, and absorbing fragments.

k-means on colour and position scatters a segment over several places. Here
each segment keeps the largest of its parts, and the rest goes to the segments
around. All on integers: the result does not depend on the device.

Legend: B images, H x W pixels; two pixels are neighbours if they share a
side.
"""

import torch
from torch import Tensor


def connected_components(labels: Tensor) -> Tensor:
    """Number the connected parts of equal labels.

    Args:
        labels (Tensor): (B, H, W) int64.

    Returns:
        Tensor: (B, H, W) int64. Two pixels have the same number if and only
        if they lie in the same image and a path of neighbours with one label
        joins them. The number is the position of the part's first pixel in
        ``labels.flatten()``.

    Example:
        >>> connected_components(torch.tensor([[[5, 5, 7], [7, 5, 5]]]))
        tensor([[[0, 0, 2],
                 [3, 0, 0]]])
    """
    batch_size, height, width = labels.shape
    index = torch.arange(labels.numel(), device=labels.device)
    index = index.view_as(labels)
    # Runs within a row, in one pass: position of the last change of label.
    starts = torch.ones_like(labels, dtype=torch.bool)
    starts[:, :, 1:] = labels[:, :, 1:] != labels[:, :, :-1]
    parts = torch.where(starts, index, 0).cummax(dim=2).values.flatten()
    # Then runs in adjacent rows are joined until nothing changes. A part
    # points at a pixel of its own with a smaller number, or at itself.
    upper = index[:, :-1][labels[:, :-1] == labels[:, 1:]]
    lower = upper + width
    while True:
        above, below = parts[upper], parts[lower]
        different = above != below
        if not bool(different.any()):
            return parts.view_as(labels)
        above, below = above[different], below[different]
        parts = parts.scatter_reduce(
            0, above.maximum(below), above.minimum(below), reduce='amin')
        parts = _follow(parts)


def _follow(parts: Tensor) -> Tensor:
    """Let each pixel point at the end of its chain."""
    while True:
        ahead = parts[parts]
        if torch.equal(ahead, parts):
            return parts
        parts = ahead


def enforce_connectivity(labels: Tensor) -> Tensor:
    """Leave each segment its largest connected part.

    The pixels of other parts join a neighbouring segment, from their border
    inwards. Of equally large parts the first in reading order stays.

    Args:
        labels (Tensor): (B, H, W) int64, not negative.

    Returns:
        Tensor: (B, H, W) int64; the same labels are in use as before, and
        each is connected.

    Example:
        >>> enforce_connectivity(torch.tensor([[[0, 0, 1, 0], [0, 1, 1, 1]]]))
        tensor([[[0, 0, 1, 1],
                 [0, 1, 1, 1]]])
    """
    if labels.numel() == 0:
        return labels
    parts = connected_components(labels).flatten()
    num_pixels, num_labels = labels.numel(), int(labels.max()) + 1
    image = torch.arange(
        labels.size(0), device=labels.device)[:, None, None]
    segment = (labels + image * num_labels).flatten()
    sizes = torch.zeros_like(parts).scatter_add_(
        0, parts, torch.ones_like(parts))
    # One number that is larger for a larger part, then for an earlier one.
    rank = sizes[parts] * num_pixels + (num_pixels - 1 - parts)
    best = rank.new_zeros(labels.size(0) * num_labels).scatter_reduce_(
        0, segment, rank, reduce='amax')
    keep = (rank == best[segment]).view_as(labels)
    return _absorb(torch.where(keep, labels, -1))


def _absorb(labels: Tensor) -> Tensor:
    """Give pixels with label -1 to a neighbour, one ring at a time."""
    while bool((labels < 0).any()):
        around = torch.nn.functional.pad(labels, (1, 1, 1, 1), value=-1)
        for beside in (around[:, :-2, 1:-1], around[:, 1:-1, :-2],
                       around[:, 1:-1, 2:], around[:, 2:, 1:-1]):
            labels = torch.where(labels < 0, beside, labels)
    return labels
