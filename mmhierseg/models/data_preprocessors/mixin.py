"""The segment map is split off a batch of inputs, and added again.

The ecosystem's data preprocessors take images of three channels. A map from
the pipeline is split off before they see the batch; otherwise it is computed
on the device.

Legend: B images, H x W pixels after padding, C channels, 3 or 4. "Images" are
a tensor (B, C, H, W), or a list of tensors (C, h, w) of any sizes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.registry import SUPERPIXELS
from mmhierseg.superpixels import BaseSuperpixels

Images = Tensor | Sequence[Tensor]
#: Label of padded pixels.
NO_SEGMENT = -1


class SuperpixelMixin:
    """Adds a segment map to the output of a data preprocessor.

    Precedes a subclass of MMEngine's ``BaseDataPreprocessor`` in the bases;
    uses its ``device``, ``cast_data``, ``mean`` and ``std``.

    ``inputs`` become (B, 4, H, W) float32: the normalised image and the
    segment map, whose integer labels are exact; -1 in padding. The map is the
    fourth channel that ``GenerateSuperpixels`` or ``AttachSegmentMap`` added
    in the pipeline, or it is computed here with ``superpixels``, on the
    device, for all images of a size at once.

    Args:
        superpixels (dict | BaseSuperpixels, optional): Superpixel method.
            Defaults to None: the pipeline makes maps.
        test_maps (bool): Whether test images need a map or ``superpixels``.
            With False, images without either stay (B, 3, H, W), and the
            backbone segments its inputs, such as each window of sliding
            inference. Defaults to True.
        **kwargs: Arguments of the base class. Superpixels are computed from
            RGB: with ``rgb_to_bgr``, normalised images are converted
            back; without any conversion, images are taken to be RGB.
    """

    def __init__(self,
                 *args,
                 superpixels: dict | BaseSuperpixels | None = None,
                 test_maps: bool = True,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(superpixels, dict):
            superpixels = SUPERPIXELS.build(superpixels)
        if not isinstance(superpixels, (BaseSuperpixels, type(None))):
            raise TypeError(
                '`superpixels` must be a config of a superpixel method, such '
                "as dict(type='TorchSLIC', segment_size=16), or None, got "
                f'{type(superpixels).__name__}')
        self.superpixels = superpixels
        self.test_maps = test_maps
        self._gives_bgr = kwargs.get('rgb_to_bgr', False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Preprocess images of 3 channels, or of 4 with a segment map.

        Raises a ValueError if there are two sources of maps, or none (but
        see ``test_maps``).
        """
        unsegmented = not training and not self.test_maps
        if (unsegmented and self.superpixels is None
                and self._count_channels(data['inputs']) == 3):
            return super().forward(
                {**data, 'inputs': list(data['inputs'])}, training)
        images, maps = self._take_segments(data['inputs'])
        result = super().forward({**data, 'inputs': images}, training)
        result['inputs'] = self._add_segments(result['inputs'], maps, images)
        return result

    def _take_segments(self, inputs: Images) -> tuple[Images, Images | None]:
        """Split into images of 3 channels and maps; None = no maps."""
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
        shapes = [tuple(image.shape) for image in inputs]
        if {shape[:-2] for shape in shapes} not in ({(3, )}, {(4, )}):
            raise ValueError(
                '`inputs` must be a tensor (B, C, H, W) or a list of tensors '
                '(C, H, W), with C = 3, or 4 with a segment map, the same '
                f'for all images; got {shapes}')
        return shapes[0][0]

    def _add_segments(self, images: Tensor, maps: Images | None,
                      unpadded: Images) -> Tensor:
        """(B, 4, H, W) float32: images and maps, which are made if None."""
        if maps is None:
            sizes = [image.shape[-2:] for image in unpadded]
            segments = self._make_segments(images, sizes)
        else:
            size = images.shape[-2:]
            if not isinstance(maps, Tensor):
                maps = torch.stack([_pad(labels, size) for labels in maps])
            segments = _pad(self.cast_data(maps), size)
        return torch.cat((images.float(), segments[:, None]), dim=1)

    @torch.no_grad()
    def _make_segments(self, images: Tensor,
                       sizes: Sequence[tuple[int, int]]) -> Tensor:
        """Superpixels of each image within its own borders, (B, H, W).

        One call for all images of a size (h, w); padding is on the right and
        at the bottom.
        """
        segments = torch.full_like(
            images[:, 0], NO_SEGMENT, dtype=torch.float32)
        pixels = images.float()
        if self._enable_normalize:
            pixels = pixels * self.std.float() + self.mean.float()
        if self._gives_bgr:
            pixels = pixels.flip(1)
        for height, width in dict.fromkeys(sizes):
            indices = [
                i for i, size in enumerate(sizes) if size == (height, width)
            ]
            labels = self.superpixels(pixels[indices, :, :height, :width])
            segments[indices, :height, :width] = labels.float()
        return segments


def _pad(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Pad (..., h, w) to (..., H, W) on the right and below, as float32."""
    height, width = labels.shape[-2:]
    return F.pad(
        labels.float(), (0, size[1] - width, 0, size[0] - height),
        value=NO_SEGMENT)
