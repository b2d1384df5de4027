"""Models by name."""

from fnmatch import fnmatchcase
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from mmhierseg._base.safe_load import safe_reading
from mmhierseg.checkpoints import load_weights, published_names
from mmhierseg.checkpoints.published import SCHEME
from mmhierseg.registry import MODELS

from .loading import find_device, read_config

#: Parts that published files leave out.
_FOLLOWERS = ('momentum_encoder.*', 'data_preprocessor.*')


def list_models(pattern: str | None = None) -> list[str]:
    """Names of the models whose weights can be had, sorted.

    Args:
        pattern (str, optional): Of the names, with wildcards as in a shell.
            Defaults to None: all.

    Example:
        >>> list_models('cast-t*')
        ['cast-t_imagenette']
    """
    return [name for name in published_names()
            if fnmatchcase(name, pattern or '*')]


def get_model(name_or_path: str | Path,
              pretrained: bool = True,
              device: str | torch.device | None = None,
              **options) -> nn.Module:
    """Build a model, and load its weights.

    Args:
        name_or_path (str | Path): A name of :func:`list_models`; without
            weights also that of any config, or its path.
        pretrained (bool): Whether to load the weights. Defaults to True.
        device (str | torch.device, optional): Defaults to None: a GPU if
            there is one.
        **options: Options of the model, in place of the config's, such as
            ``backbone=dict(img_size=224)``.

    Returns:
        nn.Module: The model that the config builds, in evaluation mode. A
        backbone is its attribute ``backbone``.

    Raises:
        ValueError: If there is no such model or it has no weights, or an
            option is wrong.

    Example:
        >>> model = get_model('cast-t_imagenette', device='cpu')
        >>> model.backbone(torch.zeros(1, 3, 112, 112))[0].shape
        torch.Size([1, 96])
    """
    cfg = read_config(name_or_path)
    cfg.merge_from_dict(dict(model=options))
    with safe_reading(), DefaultScope.overwrite_default_scope(
            cfg.get('default_scope', 'mmhierseg')):
        model = MODELS.build(cfg.model)
    if pretrained:
        load_weights(model, f'{SCHEME}{name_or_path}', ignore=_FOLLOWERS)
    model.cfg = cfg
    return model.to(find_device(device)).eval()


def default_weights(model: str | Path | Config | dict) -> str | None:
    """Checkpoint of a model that is given by name, if it has one."""
    if isinstance(model, str) and model in published_names():
        return f'{SCHEME}{model}'
    return None
