"""From the pixels of images to what a model takes."""

from typing import Union

import torch
from torch import Tensor

from mmhierseg.registry import SUPERPIXELS

from .model_settings import ModelSettings

__all__ = ['InputMaker']


class InputMaker:
    """Normalises images and adds their superpixels, as in testing.

    Args:
        settings (ModelSettings): Of the model.
        device (torch.device | str): Where the model is.

    Example:
        >>> settings = ModelSettings(
        ...     model={}, superpixels=dict(type='Grid', segment_size=2),
        ...     mean=(0., 0., 0.), std=(2., 2., 2.), rgb=True, img_size=4)
        >>> images = torch.full((1, 3, 2, 4), 8, dtype=torch.uint8)
        >>> InputMaker(settings, 'cpu')(images)[0, :, 0]
        tensor([[4., 4., 4., 4.],
                [4., 4., 4., 4.],
                [4., 4., 4., 4.],
                [0., 0., 1., 1.]])
    """

    def __init__(self, settings: ModelSettings,
                 device: Union[str, torch.device]) -> None:
        self.device = torch.device(device)
        self.rgb = settings.rgb
        self.mean, self.std = (
            torch.tensor(values, device=self.device).view(-1, 1, 1)
            for values in (settings.mean, settings.std))
        self.superpixels = None
        if settings.superpixels is not None:
            self.superpixels = SUPERPIXELS.build(dict(settings.superpixels))

    def __call__(self, images: Tensor) -> Tensor:
        """Make the input of a model.

        Args:
            images (Tensor): (B, 3, h, w) uint8, RGB.

        Returns:
            Tensor: (B, 3, h, w) float32, normalised; (B, 4, h, w) with the
            segment map behind if the model takes superpixels.
        """
        images = images.to(self.device)
        pixels = images if self.rgb else images.flip(1)
        inputs = (pixels.float() - self.mean) / self.std
        if self.superpixels is None:
            return inputs
        labels = self.superpixels(images)[:, None]
        return torch.cat([inputs, labels.float()], dim=1)
