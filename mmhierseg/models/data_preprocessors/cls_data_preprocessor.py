"""Data preprocessor of classifiers."""

from numbers import Number
from typing import Optional, Sequence

from mmpretrain.models import ClsDataPreprocessor

from mmhierseg.registry import MODELS

from .mixin import SuperpixelMixin, image_sizes


@MODELS.register_module()
class SuperpixelClsDataPreprocessor(SuperpixelMixin, ClsDataPreprocessor):
    """MMPretrain's ``ClsDataPreprocessor`` for an image and its segments.

    What it returns as ``inputs`` is (B, 4, H, W) float32: the normalised
    image and the segment map, whose integer labels are exact; -1 in padding.
    The map comes with the images, as the fourth channel that
    ``GenerateSuperpixels`` or ``AttachSegmentMap`` made, or, with
    ``superpixels``, is made here from images of three channels: on the
    device, for the whole batch, after batch augmentation. (Maps from the
    pipeline belong to the images before Mixup and CutMix, as in CAST's
    published DeiT training.)

    Args:
        mean (Sequence[Number], optional): Mean of each channel.
            Defaults to None.
        std (Sequence[Number], optional): Standard deviation of each channel.
            Defaults to None.
        pad_size_divisor (int): What height and width must be divisible by.
            Defaults to 1.
        pad_value (Number): Value of padded pixels, after normalisation.
            Defaults to 0.
        to_rgb (bool): Whether to turn BGR images into RGB. Without it, images
            are taken to be RGB already. Defaults to False.
        to_onehot (bool): Whether to make one-hot labels. Defaults to False.
        num_classes (int, optional): Number of classes. Defaults to None.
        batch_augments (dict, optional): Settings of batch augmentation.
            Defaults to None.
        superpixels (dict, optional): Config of the method that makes
            superpixels from images without a map. Defaults to None, which
            means that maps come with the images.
    """

    def __init__(self,
                 mean: Optional[Sequence[Number]] = None,
                 std: Optional[Sequence[Number]] = None,
                 pad_size_divisor: int = 1,
                 pad_value: Number = 0,
                 to_rgb: bool = False,
                 to_onehot: bool = False,
                 num_classes: Optional[int] = None,
                 batch_augments: Optional[dict] = None,
                 superpixels: Optional[dict] = None) -> None:
        super().__init__(
            mean=mean,
            std=std,
            pad_size_divisor=pad_size_divisor,
            pad_value=pad_value,
            to_rgb=to_rgb,
            to_onehot=to_onehot,
            num_classes=num_classes,
            batch_augments=batch_augments)
        self._set_superpixels(superpixels, gives_bgr=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Preprocess a batch.

        Args:
            data (dict): ``inputs``, (B, C, H, W) or a list of (C, h, w), and
                optionally ``data_samples``.
            training (bool): Whether to do batch augmentation.
                Defaults to False.

        Returns:
            dict: ``inputs`` (B, 4, H, W) float32 and ``data_samples``.

        Raises:
            TypeError: If ``inputs`` are no tensors.
            ValueError: If they have neither 3 nor 4 channels, or if maps are
                given twice or not at all.
        """
        images, maps = self._take_segments(data['inputs'])
        result = super().forward({**data, 'inputs': images}, training)
        result['inputs'] = self._add_segments(result['inputs'], maps,
                                              image_sizes(images))
        return result
