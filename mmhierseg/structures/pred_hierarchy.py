"""Predicted hierarchies in data samples.

``data_sample.pred_hierarchy`` is a ``PixelData`` like ``pred_sem_seg``; its
``data`` holds the label map of every level, (L, H, W) int64, the finest first;
-1 = no segment. These are maps, not labels and parents, because generic code
moves, slices, saves and draws data samples, and maps need not be nested.
"""

from collections.abc import Sequence

import torch
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from .segment_hierarchy import SegmentHierarchy


def add_hierarchy(data_samples: Sequence[BaseDataElement],
                  hierarchy: SegmentHierarchy) -> None:
    """Add the hierarchy of its image to each data sample.

    As MMSegmentation does with logits, padding is removed, flips are undone
    and maps are resized to the original size, according to the meta
    information; see :func:`restore_maps`.

    Args:
        data_samples (Sequence[BaseDataElement]): One per image; they get the
            field ``pred_hierarchy``.
        hierarchy (SegmentHierarchy): Hierarchy of the model's inputs.

    Raises:
        ValueError: If the number of samples is not that of the images.

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
    maps = torch.stack([hierarchy.label_map(level)
                        for level in range(hierarchy.num_levels)], dim=1)
    for sample, image_maps in zip(data_samples, maps, strict=True):
        # A copy: a view would keep the maps of the whole batch alive.
        image_maps = restore_maps(image_maps, sample.metainfo).clone()
        sample.set_field(
            PixelData(data=image_maps), 'pred_hierarchy', dtype=PixelData)


def restore_maps(maps: Tensor, metainfo: dict) -> Tensor:
    """Map label maps of a model's input back to the image as it was loaded.

    Args:
        maps (Tensor): (L, H, W), label maps of the input.
        metainfo (dict): Meta information of the image's data sample: padding,
            flip (an unknown one is a ValueError) and original size, as far as
            they are to be undone.

    Returns:
        Tensor: ``(L, *ori_shape)``, by nearest neighbour.
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
    # Nearest neighbour at the centres of pixels, in integers.
    rows, columns = (
        (2 * torch.arange(new, device=maps.device) + 1) * old // (2 * new)
        for new, old in zip((height, width), maps.shape[-2:]))
    return maps[:, rows[:, None], columns]
