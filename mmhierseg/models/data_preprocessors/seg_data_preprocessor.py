"""Data preprocessor of segmentors."""

from numbers import Number
from typing import List, Optional, Sequence

from mmseg.models import SegDataPreProcessor

from mmhierseg.registry import MODELS

from .mixin import SuperpixelMixin, image_sizes


@MODELS.register_module()
class SuperpixelSegDataPreProcessor(SuperpixelMixin, SegDataPreProcessor):
    """MMSegmentation's ``SegDataPreProcessor`` for an image and its segments.

    What it returns as ``inputs`` is (B, 4, H, W) float32: the normalised
    image and the segment map, whose integer labels are exact; -1 in padding.
    The map comes with the images, as the fourth channel that
    ``GenerateSuperpixels`` or ``AttachSegmentMap`` made, or, with
    ``superpixels``, is made here from images of three channels, on the
    device, all images of a size at once.

    A config takes the place of MMSegmentation's by changing ``type`` and
    adding ``superpixels``; all other arguments are the same.

    Args:
        mean (Sequence[Number], optional): Mean of each channel.
            Defaults to None.
        std (Sequence[Number], optional): Standard deviation of each channel.
            Defaults to None.
        size (tuple, optional): (h, w) to pad to. Defaults to None.
        size_divisor (int, optional): What height and width must be divisible
            by. Defaults to None.
        pad_val (Number): Value of padded pixels, after normalisation.
            Defaults to 0.
        seg_pad_val (Number): Value of padded ground truth. Defaults to 255.
        bgr_to_rgb (bool): Whether to turn BGR images into RGB. Without any
            of the two, images are taken to be RGB already.
            Defaults to False.
        rgb_to_bgr (bool): Whether to turn RGB images into BGR.
            Defaults to False.
        batch_augments (list[dict], optional): Handed to the base class.
            Defaults to None.
        test_cfg (dict, optional): ``size`` or ``size_divisor`` to pad to in
            testing. Defaults to None.
        superpixels (dict, optional): Config of the method that makes
            superpixels from images without a map. Defaults to None, which
            means that maps come with the images.
    """

    def __init__(self,
                 mean: Optional[Sequence[Number]] = None,
                 std: Optional[Sequence[Number]] = None,
                 size: Optional[tuple] = None,
                 size_divisor: Optional[int] = None,
                 pad_val: Number = 0,
                 seg_pad_val: Number = 255,
                 bgr_to_rgb: bool = False,
                 rgb_to_bgr: bool = False,
                 batch_augments: Optional[List[dict]] = None,
                 test_cfg: Optional[dict] = None,
                 superpixels: Optional[dict] = None) -> None:
        super().__init__(
            mean=mean,
            std=std,
            size=size,
            size_divisor=size_divisor,
            pad_val=pad_val,
            seg_pad_val=seg_pad_val,
            bgr_to_rgb=bgr_to_rgb,
            rgb_to_bgr=rgb_to_bgr,
            batch_augments=batch_augments,
            test_cfg=test_cfg)
        self._set_superpixels(superpixels, gives_bgr=rgb_to_bgr)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Preprocess a batch.

        Args:
            data (dict): ``inputs``, a list of (C, h, w) or (B, C, H, W), and
                ``data_samples``, which training needs.
            training (bool): Whether to pad as for training.
                Defaults to False.

        Returns:
            dict: ``inputs`` (B, 4, H, W) float32 and ``data_samples``.

        Raises:
            TypeError: If ``inputs`` are no tensors.
            ValueError: If they have neither 3 nor 4 channels, or if maps are
                given twice or not at all.
        """
        images, maps = self._take_segments(data['inputs'])
        # The base class pads lists only.
        images = list(images)
        result = super().forward({**data, 'inputs': images}, training)
        result['inputs'] = self._add_segments(result['inputs'], maps,
                                              image_sizes(images))
        return result
