"""Means over the segments of a large image, by pairs that are not counted."""

from collections.abc import Callable
from functools import partial

import torch

from mmhierseg.ops import segment_sizes
from mmhierseg.ops.segment_weights import mean_by_pairs

__all__ = ['make_means']

_SIDE = 16
_STRIDE = 8
_CHANNELS = 384


def make_means(height: int, device: str) -> dict[str, Callable[[], object]]:
    """Means of the maps of a stem over squares with displaced pixels.

    Args:
        height (int): Of the image, which is twice as wide.
        device (str): 'cpu' or 'cuda'.

    Returns:
        dict[str, Callable]: 'counted' and, as a graph, 'uncounted'. Both count
        nothing on a GPU.
    """
    generator = torch.Generator().manual_seed(0)
    size = height, 2 * height
    # Borders are as ragged as those of superpixels.
    rows, columns = (
        (torch.arange(length).view(shape) + torch.randint(
            -2, 3, size, generator=generator)).clamp(0, length - 1) // _SIDE
        for length, shape in zip(size, ((-1, 1), (1, -1))))
    labels = rows * (size[1] // _SIDE) + columns
    labels = labels[None].to(device)
    count = segment_sizes(labels, int(labels.max()) + 1)
    features = torch.randn(1, _CHANNELS, *(x // _STRIDE for x in size),
                           generator=generator).to(device)
    graph = torch.compile(mean_by_pairs, backend='eager', fullgraph=True)
    calls = {
        name: torch.no_grad()(
            partial(function, features, labels, count, 'bilinear'))
        for name, function in dict(
            counted=mean_by_pairs, uncounted=graph).items()
    }
    calls['uncounted']()
    return calls
