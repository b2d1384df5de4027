"""Where a predicted hierarchy lives in a data sample.

``data_sample.pred_hierarchy`` is a ``PixelData`` beside ``pred_sem_seg``; its
``data`` holds the label map of every level, (L, H, W) int64, level 0, the
finest, first; -1 = no segment. As maps, not as labels and parents: a data
sample is moved, sliced, saved and drawn by code that knows nothing of
hierarchies, and maps of any origin, nested or not, can be put there.

Legend: B images, L levels, H x W pixels.
"""

from typing import Sequence

import torch
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from .segment_hierarchy import SegmentHierarchy

__all__ = ['add_hierarchy', 'restore_maps']


def add_hierarchy(data_samples: Sequence[BaseDataElement],
                  hierarchy: SegmentHierarchy) -> None:
    """Give each data sample the hierarchy of its image.

    As MMSegmentation does with logits, padding is cut off, flips are undone
    and the maps are brought to the original size, by nearest neighbour. What
    is needed for it stands in the meta information; without it, maps stay as
    they are.

    Args:
        data_samples (Sequence[BaseDataElement]): One per image. Changed in
            place: they get the field ``pred_hierarchy``.
        hierarchy (SegmentHierarchy): Of the batch as it entered the model.

    Raises:
        ValueError: If there are not as many samples as images, or the meta
            information names an unknown flip.

    Example:
        >>> labels = torch.tensor([[[0, 1, -1]]])
        >>> hierarchy = SegmentHierarchy(labels, [torch.tensor([[0, 0]])])
        >>> sample = BaseDataElement(metainfo=dict(
        ...     img_padding_size=(0, 1, 0, 0), ori_shape=(1, 4)))
        >>> add_hierarchy([sample], hierarchy)
        >>> sample.pred_hierarchy.data
        tensor([[[0, 0, 1, 1]],
        <BLANKLINE>
                [[0, 0, 0, 0]]])
    """
    if len(data_samples) != len(hierarchy.labels):
        raise ValueError(
            '`data_samples` must have one sample for each of the '
            f'{len(hierarchy.labels)} images, got {len(data_samples)}')
    levels = [
        hierarchy.label_map(level) for level in range(hierarchy.num_levels)
    ]
    maps = torch.stack(levels, dim=1)
    for sample, image_maps in zip(data_samples, maps):
        # A copy: a view would keep the maps of the whole batch alive.
        image_maps = restore_maps(image_maps, sample.metainfo).clone()
        sample.set_field(
            PixelData(data=image_maps), 'pred_hierarchy', dtype=PixelData)


def restore_maps(maps: Tensor, metainfo: dict) -> Tensor:
    """Bring label maps of the padded input to the image as it was loaded.

    Args:
        maps (Tensor): (L, H, W), of the input of a model.
        metainfo (dict): Meta information of the image's data sample: padding,
            flip and original size. What is not there is not undone.

    Returns:
        Tensor: ``(L, *ori_shape)``, by nearest neighbour.

    Raises:
        ValueError: If the meta information names an unknown flip.

    Example:
        >>> maps = torch.tensor([[[0, 1, -1]]])
        >>> restore_maps(maps, dict(
        ...     img_padding_size=(0, 1, 0, 0), ori_shape=(1, 4)))
        tensor([[[0, 0, 1, 1]]])
    """
    padding = metainfo.get('img_padding_size',
                           metainfo.get('padding_size', (0, 0, 0, 0)))
    left, right, top, bottom = padding
    height, width = maps.shape[-2:]
    maps = maps[:, top:height - bottom, left:width - right]
    if metainfo.get('flip'):
        axes = dict(horizontal=[2], vertical=[1], diagonal=[1, 2])
        direction = metainfo.get('flip_direction')
        if direction not in axes:
            raise ValueError(f'`flip_direction` must be one of {list(axes)}, '
                             f'got {direction!r}')
        maps = maps.flip(axes[direction])
    height, width = metainfo.get('ori_shape', maps.shape[-2:])[:2]
    rows, columns = (
        _nearest(new, old, maps.device)
        for new, old in zip((height, width), maps.shape[-2:]))
    return maps[:, rows[:, None], columns]


def _nearest(new: int, old: int, device: torch.device) -> Tensor:
    """Of each of `new` cells, the one of `old` that its middle lies in."""
    cells = torch.arange(new, device=device)
    return (2 * cells + 1) * old // (2 * new)
