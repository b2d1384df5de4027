"""Taking the segment map off a batch of inputs, and putting it back on.

The data preprocessors of the ecosystem know images of three channels. So the
map, if the pipeline made one, is taken off before they see the batch;
afterwards it is put back, or made on the device if there was none.

Legend: B images, H x W pixels after padding, C channels, 3 or 4. "Images" are
a tensor (B, C, H, W), or a list of tensors (C, h, w) of any sizes.
"""

from typing import Dict, List, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.registry import SUPERPIXELS
from mmhierseg.superpixels import BaseSuperpixels

Images = Union[Tensor, Sequence[Tensor]]
#: Padded pixels belong to no segment.
NO_SEGMENT = -1


class SuperpixelMixin:
    """Adds a segment map to what a data preprocessor returns.

    Goes before MMEngine's ``BaseDataPreprocessor`` or a subclass, whose
    ``device``, ``cast_data``, ``mean`` and ``std`` it uses.
    """

    def _set_superpixels(self, superpixels: Union[dict, BaseSuperpixels,
                                                  None],
                         gives_bgr: bool) -> None:
        """Build the superpixel method; to be called by the constructor.

        Args:
            superpixels (dict | BaseSuperpixels | None): The method, or None
                if maps come from the pipeline.
            gives_bgr (bool): Whether the images that leave the preprocessor
                are BGR; superpixels are made from RGB.

        Raises:
            TypeError: If ``superpixels`` is something else.
        """
        if isinstance(superpixels, dict):
            superpixels = SUPERPIXELS.build(superpixels)
        if not isinstance(superpixels, (BaseSuperpixels, type(None))):
            raise TypeError(
                '`superpixels` must be a config of a superpixel method, such '
                "as dict(type='TorchSLIC', segment_size=16), or None, got "
                f'{type(superpixels).__name__}')
        self.superpixels = superpixels
        self._gives_bgr = gives_bgr

    def _take_segments(
            self, inputs: Images) -> Tuple[Images, Optional[Images]]:
        """Take the segment maps off.

        Args:
            inputs (Tensor | Sequence[Tensor]): Images of 3 channels, or of 4,
                the last of which is the map.

        Returns:
            Tuple: Images of 3 channels of the same kind, and maps, (B, H, W)
            or a list of B maps (h, w), or None if there are none.

        Raises:
            TypeError: If ``inputs`` are no tensors.
            ValueError: If they have another shape, or if maps come both from
                the pipeline and from ``superpixels``, or from neither.
        """
        if self._count_channels(inputs) == 3:
            if self.superpixels is None:
                raise ValueError(
                    '`inputs` has 3 channels and `superpixels` is None, so '
                    'there is no segment map. Either give '
                    f'{type(self).__name__}(superpixels='
                    "dict(type='TorchSLIC', segment_size=16)), or put "
                    "dict(type='mmhierseg.GenerateSuperpixels') or "
                    "'mmhierseg.AttachSegmentMap' into the pipeline before "
                    'packing')
            return inputs, None
        if self.superpixels is not None:
            raise ValueError(
                '`inputs` has 4 channels, a segment map from the pipeline, '
                'and `superpixels` is set as well. Remove one: the transform '
                'that attaches the map, or `superpixels` of '
                f'{type(self).__name__} (superpixels=None)')
        if isinstance(inputs, Tensor):
            return inputs[:, :3], inputs[:, 3]
        return [image[:3] for image in inputs], [image[3] for image in inputs]

    @staticmethod
    def _count_channels(inputs: Images) -> int:
        """Number of channels of a batch, checked to be 3 or 4."""
        images = [inputs] if isinstance(inputs, Tensor) else inputs
        if (not isinstance(images, Sequence) or not images
                or not all(isinstance(image, Tensor) for image in images)):
            raise TypeError('`inputs` must be a tensor (B, C, H, W) or a '
                            'list of tensors (C, H, W), got '
                            f'{type(inputs).__name__}')
        num_axes = 4 if isinstance(inputs, Tensor) else 3
        shapes = [tuple(image.shape) for image in images]
        channels = {
            shape[-3] if len(shape) == num_axes else None
            for shape in shapes
        }
        if len(channels) != 1 or not channels <= {3, 4}:
            raise ValueError(
                '`inputs` must be a tensor (B, C, H, W) or a list of tensors '
                '(C, H, W), with C = 3, or 4 with a segment map, the same '
                f'for all images; got {"" if num_axes == 4 else "a list of "}'
                f'{shapes[0] if num_axes == 4 else shapes}')
        return channels.pop()

    def _add_segments(self, images: Tensor, maps: Optional[Images],
                      sizes: Sequence[Tuple[int, int]]) -> Tensor:
        """Put maps on, and make them where there are none.

        Args:
            images (Tensor): (B, 3, H, W) float, normalised and padded, on the
                device.
            maps (Tensor | list[Tensor], optional): (B, h, w) or B maps
                (h, w), or None.
            sizes (Sequence[Tuple[int, int]]): (h, w) of each image before it
                was padded on the right and at the bottom.

        Returns:
            Tensor: (B, 4, H, W) float32; the map is -1 in the padding.
        """
        if maps is None:
            segments = self._make_segments(images, sizes)
        else:
            segments = self._pad_segments(maps, images.shape[-2:])
        return torch.cat((images.float(), segments[:, None]), dim=1)

    def _pad_segments(self, maps: Images, size: Tuple[int, int]) -> Tensor:
        """Stack maps of any sizes, (B, H, W) float32, on the device."""
        if not isinstance(maps, Tensor):
            maps = torch.stack([_pad(labels, size) for labels in maps])
        return _pad(self.cast_data(maps), size)

    @torch.no_grad()
    def _make_segments(self, images: Tensor,
                       sizes: Sequence[Tuple[int, int]]) -> Tensor:
        """Superpixels of each image within its own borders, (B, H, W).

        One call for all images of a size, so that neither the content nor
        the padding of an image's batch mates has a say in its superpixels.
        """
        segments = images.new_full(
            (images.size(0), *images.shape[-2:]), NO_SEGMENT,
            dtype=torch.float32)
        pixels = self._undo_normalisation(images)
        same_size: Dict[Tuple[int, int], List[int]] = {}
        for index, size in enumerate(sizes):
            same_size.setdefault(tuple(size), []).append(index)
        for (height, width), indices in same_size.items():
            labels = self.superpixels(pixels[indices, :, :height, :width])
            segments[indices, :height, :width] = labels.float()
        return segments

    def _undo_normalisation(self, images: Tensor) -> Tensor:
        """RGB pixels from 0 to 255 of normalised images."""
        pixels = images.float()
        if self._enable_normalize:
            pixels = pixels * self.std.float() + self.mean.float()
        return pixels.flip(1) if self._gives_bgr else pixels


def _pad(labels: Tensor, size: Tuple[int, int]) -> Tensor:
    """Pad (..., h, w) to (..., H, W) on the right and below, as float32."""
    height, width = labels.shape[-2:]
    return F.pad(
        labels.float(), (0, size[1] - width, 0, size[0] - height),
        value=NO_SEGMENT)


def image_sizes(inputs: Images) -> List[Tuple[int, int]]:
    """Height and width of each image.

    Args:
        inputs (Tensor | Sequence[Tensor]): (B, C, H, W), or a list of
            (C, h, w).

    Returns:
        List[Tuple[int, int]]: (h, w) of each of the B images.

    Example:
        >>> image_sizes([torch.zeros(3, 2, 5), torch.zeros(3, 4, 1)])
        [(2, 5), (4, 1)]
    """
    return [tuple(image.shape[-2:]) for image in inputs]
