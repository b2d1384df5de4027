"""Embeddings of pictures and of names by CLIP, through ``open_clip``."""

import json
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg._base.errors import UserError
from mmhierseg.registry import MODELS

from .loaded import LoadedNetwork


@MODELS.register_module()
class OpenCLIPEncoder(LoadedNetwork):
    """CLIP, as ``open_clip`` loads it.

    Args:
        model (str): Name of an architecture of ``open_clip``, or
            'local-dir:FOLDER' with ``open_clip_config.json`` and weights.
            Defaults to 'ViT-B-16-quickgelu', that of OpenAI.
        pretrained (str, optional): Name of weights, which ``open_clip``
            downloads, or a file; None with a folder. Defaults to 'openai'.
        autocast (bool): Whether a GPU of Nvidia computes in mixed precision
            with float16, as the authors do. Other devices compute in float32,
            whatever autocast surrounds them. Defaults to True.
        batch_size (int): Pictures at a time. Defaults to 64.

    Raises:
        ImportError: If ``open_clip`` is not installed.
        UserError: If the model cannot be loaded.
    """

    def __init__(self,
                 model: str = 'ViT-B-16-quickgelu',
                 pretrained: str | None = 'openai',
                 autocast: bool = True,
                 batch_size: int = 64) -> None:
        try:
            import open_clip
        except ImportError as error:
            raise ImportError('OpenCLIPEncoder needs open_clip: pip install '
                              '"mmhierseg[clip]"') from error
        try:
            net = open_clip.create_model(
                model, pretrained, require_pretrained=True)
            self.__dict__['tokenizer'] = open_clip.get_tokenizer(model)
        except Exception as error:  # of many kinds, as the sources are
            raise UserError(
                f'CLIP cannot be loaded from model={model!r}, pretrained='
                f'{pretrained!r}: {error}. Name a folder by model='
                "'local-dir:FOLDER', or a file by `pretrained`") from error
        super().__init__(net)
        self.autocast = autocast
        self.batch_size = batch_size
        self.version = open_clip.__version__
        # Weights do not tell: OpenAI's fit with either kind of GELU.
        self.architecture = open_clip.get_model_config(model) or model
        options = open_clip.get_model_preprocess_cfg(net)
        size = options['size']
        self.size = tuple(size) if isinstance(size, (tuple, list)) else (
            size, size)
        for name in ('mean', 'std'):
            self.register_buffer(
                name, torch.tensor(options[name]).view(3, 1, 1),
                persistent=False)

    @property
    def key(self) -> str:
        """All that determines the embedding of a picture."""
        return json.dumps([
            'open_clip', self.version, self.architecture, self.weights,
            str(self._dtype), self.mean.flatten().tolist(),
            self.std.flatten().tolist()], sort_keys=True)

    def normalize(self, crop: Tensor) -> Tensor:
        """Normalise (3, H, W) uint8 RGB; H x W must be CLIP's."""
        if tuple(crop.shape[1:]) != self.size:
            raise UserError(
                f'CLIP takes pictures of {self.size[0]} x {self.size[1]} '
                f'pixels, the crop has {crop.size(1)} x {crop.size(2)}: set '
                '`size` of CropForLabelling')
        return (crop.float() / 255 - self.mean) / self.std

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """(n, D) float32, of unit length, of (n, 3, H, W)."""
        return self._encode(self.net.encode_image, pictures)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """(K, D) float32, of unit length, of K texts."""
        tokens = self.tokenizer(list(texts)).to(self.mean.device)
        return self._encode(self.net.encode_text, tokens)

    @property
    def _dtype(self) -> torch.dtype:
        has_gpu = self.mean.device.type == 'cuda'
        return torch.float16 if self.autocast and has_gpu else torch.float32

    @torch.no_grad()
    def _encode(self, function, inputs: Tensor) -> Tensor:
        low = self._dtype if self._dtype == torch.float16 else None
        # Also switches off what the caller has switched on.
        with torch.autocast(inputs.device.type, low, enabled=low is not None):
            parts = [function(some) for some in inputs.split(self.batch_size)]
        return F.normalize(torch.cat(parts).float(), dim=1)
