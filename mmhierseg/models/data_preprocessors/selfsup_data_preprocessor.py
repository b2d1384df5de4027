"""Data preprocessor of self-supervised learners."""

from typing import Optional, Sequence, Union

from mmpretrain.models import SelfSupDataPreprocessor
from torch import Tensor

from mmhierseg.registry import MODELS

from .mixin import SuperpixelMixin, image_sizes


@MODELS.register_module()
class SuperpixelSelfSupDataPreprocessor(SuperpixelMixin,
                                        SelfSupDataPreprocessor):
    """MMPretrain's ``SelfSupDataPreprocessor`` for images and segments.

    What it returns as ``inputs`` is (B, 4, H, W) float32, the normalised
    image and the segment map, whose integer labels are exact; with several
    views a list of these. The map comes with the images, as the fourth
    channel that ``GenerateSuperpixels`` or ``AttachSegmentMap`` made, or,
    with ``superpixels``, is made here from images of three channels, on the
    device.

    Needs ``collate_fn=dict(type='default_collate')`` in the data loader, as
    its base class does.

    Args:
        mean (Sequence[float | int], optional): Mean of each channel.
            Defaults to None.
        std (Sequence[float | int], optional): Standard deviation of each
            channel. Defaults to None.
        pad_size_divisor (int): Not used by the base class. Defaults to 1.
        pad_value (float | int): Not used by the base class. Defaults to 0.
        to_rgb (bool): Whether to turn BGR images into RGB. Without any of the
            three, images are taken to be RGB already. Defaults to False.
        bgr_to_rgb (bool): The same as ``to_rgb``. Defaults to False.
        rgb_to_bgr (bool): Whether to turn RGB images into BGR.
            Defaults to False.
        non_blocking (bool): Whether copies to the device are asynchronous.
            Defaults to False.
        superpixels (dict, optional): Config of the method that makes
            superpixels from images without a map. Defaults to None, which
            means that maps come with the images.
    """

    def __init__(self,
                 mean: Optional[Sequence[Union[float, int]]] = None,
                 std: Optional[Sequence[Union[float, int]]] = None,
                 pad_size_divisor: int = 1,
                 pad_value: Union[float, int] = 0,
                 to_rgb: bool = False,
                 bgr_to_rgb: bool = False,
                 rgb_to_bgr: bool = False,
                 non_blocking: Optional[bool] = False,
                 superpixels: Optional[dict] = None) -> None:
        super().__init__(
            mean=mean,
            std=std,
            pad_size_divisor=pad_size_divisor,
            pad_value=pad_value,
            to_rgb=to_rgb,
            bgr_to_rgb=bgr_to_rgb,
            rgb_to_bgr=rgb_to_bgr,
            non_blocking=non_blocking)
        self._set_superpixels(superpixels, gives_bgr=rgb_to_bgr)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Preprocess a batch.

        Args:
            data (dict): ``inputs``, (B, C, H, W) or a list of such, one for
                each view, and optionally ``data_samples``.
            training (bool): Not used by the base class. Defaults to False.

        Returns:
            dict: ``inputs``, (B, 4, H, W) float32 or a list of such, and
            ``data_samples``.

        Raises:
            TypeError: If ``inputs`` are no tensors.
            ValueError: If they have neither 3 nor 4 channels, or if maps are
                given twice or not at all.
        """
        inputs = data['inputs']
        single = isinstance(inputs, Tensor)
        views = [inputs] if single else inputs
        if not all(isinstance(view, Tensor) and view.dim() == 4
                   for view in views):
            raise ValueError(
                '`inputs` must be a batch (B, C, H, W), or a list of such, '
                'one for each view: set collate_fn='
                "dict(type='default_collate') in the data loader")
        taken = [self._take_segments(view) for view in views]
        # Exactly these keys: the base class unpacks the values in order.
        result = super().forward(
            dict(
                inputs=[images for images, _ in taken],
                data_samples=data.get('data_samples')), training)
        views = [
            self._add_segments(view, maps, image_sizes(images))
            for view, (images, maps) in zip(result['inputs'], taken)
        ]
        result['inputs'] = views[0] if single else views
        return result
