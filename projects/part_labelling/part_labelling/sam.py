"""Segments by SAM's automatic mask generator, through ``transformers``."""

import json

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmhierseg._base.errors import UserError
from mmhierseg.registry import MODELS

from .cache import ResultCache
from .loaded import LoadedNetwork


@MODELS.register_module()
class SAMSegments(LoadedNetwork):
    """Masks of SAM (Kirillov et al., ICCV 2023), as two label maps.

    The generator has its defaults: 32 x 32 points, predicted IoU over 0.88,
    stability over 0.95, boxes suppressed at an IoU of 0.7. Masks are kept on
    disk.

    Args:
        pretrained (str): Folder, or repository of the Hugging Face hub, of a
            ``SamModel`` and its ``SamImageProcessor``.
        options (dict, optional): Other options of ``transformers``'
            ``MaskGenerationPipeline``. Defaults to None.

    Raises:
        ImportError: If ``transformers`` is not installed.
        UserError: If the model, or torchvision's operators, cannot be loaded.
    """

    #: There is no backbone to load.
    backbone_path = None

    def __init__(self, pretrained: str, options: dict | None = None) -> None:
        try:
            import transformers
        except ImportError as error:
            raise ImportError('SAMSegments needs transformers: pip install '
                              '"mmhierseg[sam]"') from error
        _check_operators()
        try:
            net = transformers.SamModel.from_pretrained(pretrained)
            processor = transformers.SamImageProcessor.from_pretrained(
                pretrained)
        except Exception as error:  # of many kinds, as the sources are
            raise UserError(f'SAM cannot be loaded from {pretrained!r}: '
                            f'{error}') from error
        super().__init__(net)
        self.pretrained = pretrained
        self.options = dict(options or {})
        self.generator = None
        self.processor = processor
        architecture = dict(net.config.to_dict(), _name_or_path=None)
        self.key = json.dumps([
            'sam', transformers.__version__, architecture, self.weights,
            self.options, processor.to_dict()], sort_keys=True, default=str)

    def forward(self, inputs: Tensor, crop: Tensor,
                cache: ResultCache) -> tuple[Tensor, Tensor]:
        """Maps (H, W) int64 of the parts and of the objects, -1 = none.

        Args:
            inputs (Tensor): Not used, but for its device.
            crop (Tensor): (3, H, W) uint8 RGB.
            cache (ResultCache): Keeps the masks.
        """
        pixels = crop.permute(1, 2, 0).cpu().numpy()
        size = pixels.shape[:2]
        packed = cache(
            [self.key, pixels],
            lambda: np.packbits(self._masks(pixels, inputs.device), axis=1))
        masks = np.unpackbits(packed, axis=1, count=size[0] * size[1])
        levels = mask_levels(masks.reshape(-1, *size).astype(bool))
        return tuple(
            torch.from_numpy(level).to(inputs.device) for level in levels)

    def take_weights(self, weights: dict[str, Tensor]) -> None:
        """Remove its weights, which must be those that were loaded."""
        own = self.net.state_dict()
        common = [name for name in weights if name in own]
        if not common or any(
                weights[name].shape != own[name].shape or not torch.equal(
                    weights[name].to(own[name]), own[name])
                for name in common):
            raise UserError(
                'SAM has its weights from `model.segments.pretrained`, '
                f'{self.pretrained!r}, and the checkpoint has others: give '
                'the file in that folder, model.safetensors')
        for name in common:
            del weights[name]

    def _masks(self, pixels: np.ndarray, device: torch.device) -> np.ndarray:
        """(n, H * W) bool of the generated masks."""
        if self.generator is None or self.generator.device != device:
            from transformers import MaskGenerationPipeline
            self.generator = MaskGenerationPipeline(
                model=self.net, image_processor=self.processor, device=device)
        with torch.autocast(device.type, enabled=False):
            output = self.generator(Image.fromarray(pixels), **self.options)
        masks = [np.asarray(mask) for mask in output['masks']]
        return np.array(masks, dtype=bool).reshape(-1, pixels[..., 0].size)


def _check_operators() -> None:
    """Raise unless torchvision can suppress boxes for the generator."""
    from torchvision.ops import boxes
    try:
        boxes.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except RuntimeError as error:
        raise UserError(
            'SAM needs the compiled operators of torchvision, which do not '
            'load: install the torchvision that is built for PyTorch '
            f'{torch.__version__}') from error


def mask_levels(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label maps of parts and of objects from masks that may overlap.

    Masks are sorted by falling area, equal ones in their order. A pixel's part
    is the last, smallest mask that covers it, its object the first.

    Args:
        masks (np.ndarray): (n, H, W) bool.

    Returns:
        tuple[np.ndarray, np.ndarray]: (H, W) int64 each, places of masks in
        that order; -1 = no mask.

    Example:
        >>> masks = np.array([[[1, 0, 0]], [[1, 1, 0]]], dtype=bool)
        >>> mask_levels(masks)
        (array([[ 1,  0, -1]]), array([[ 0,  0, -1]]))
    """
    order = np.argsort(-masks.sum(axis=(1, 2)), kind='stable')
    parts = np.full(masks.shape[1:], -1, dtype=np.int64)
    objects = parts.copy()
    for place, mask in enumerate(masks[order]):
        objects[mask & (parts < 0)] = place
        parts[mask] = place
    return parts, objects
