"""The models whose segments are measured."""

from threading import Lock
from typing import Optional

import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from torch import Tensor, nn

from mmhierseg.checkpoints import read_checkpoint, read_safely
from mmhierseg.models import HSG
from mmhierseg.registry import MODELS

__all__ = ['colour_model', 'load_model']

_BUILDING = Lock()


def load_model(cfg: Config, seed: int, checkpoint: Optional[str] = None
               ) -> HSG:
    """Build a model.

    Args:
        cfg (Config): Of its training.
        seed (int): Seed of its initialisation.
        checkpoint (str, optional): File with its weights. Defaults to None:
            it stays as initialised.

    Returns:
        HSG: In evaluation mode.

    Raises:
        RuntimeError: If the weights are another model's.
    """
    init_default_scope('mmseg')
    read_safely()
    # Random numbers are those of the process, which other threads draw, too.
    with _BUILDING:
        set_random_seed(seed)
        model = MODELS.build(cfg.model)
        model.init_weights()
    if checkpoint is not None:
        model.load_state_dict(read_checkpoint(str(checkpoint))['state_dict'])
    return model.eval()


class _Colours(nn.Module):
    """The colours themselves, and 1: directions tell brightness, too."""

    def forward(self, images: Tensor) -> Tensor:
        return F.pad(images, (0, 0, 0, 0, 0, 1), value=1.)


def colour_model(cfg: Config) -> HSG:
    """Build what segments by the colours of pixels: needs no learning.

    Args:
        cfg (Config): Of a model that it is to be compared with.

    Returns:
        HSG: In evaluation mode, without groups.
    """
    init_default_scope('mmseg')
    head = dict(type='mmhierseg.HSGHead', in_channels=4, embed_dims=4,
                fine_weight=0., coarse_weight=0., grouping_weight=0.,
                centroid_weight=0.)
    # Only its layers are other ones.
    model = MODELS.build(dict(
        cfg.model, backbone=_Colours(), neck=nn.Identity(), head=head))
    return model.eval()
