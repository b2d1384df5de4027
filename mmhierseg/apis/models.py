"""Models by name, and saved models."""

from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from mmhierseg._base.safe_load import safe_reading
from mmhierseg.checkpoints import load_weights, published_names
from mmhierseg.checkpoints.hub import WEIGHTS
from mmhierseg.checkpoints.published import SCHEME, apply_options
from mmhierseg.registry import MODELS

from .folders import read_folder, write_folder
from .loading import find_device, find_folder, find_superpixels, read_config

#: Parts that published files leave out.
_FOLLOWERS = ('momentum_encoder.*', 'data_preprocessor.*')


def list_models(pattern: str | None = None) -> list[str]:
    """Names of the models whose weights can be had, sorted.

    ``cast-t_imagenette`` ships with the package; others are downloaded when
    they are first used.

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
        name_or_path (str | Path): A name of :func:`list_models`, a folder of
            :func:`save_pretrained`, or ``'user/repository'`` of such on the
            Hugging Face hub; without weights also the name of any config, or
            its path.
        pretrained (bool): Whether to load the weights, with the options that
            they need to be exact, such as CAST's ``mask_empty=False``.
            Defaults to True.
        device (str | torch.device, optional): Defaults to None: a GPU if
            there is one.
        **options: Options of the model, in place of the config's, such as
            ``backbone=dict(img_size=224)``.

    Returns:
        nn.Module: The model that the config builds, in evaluation mode. A
        backbone is its attribute ``backbone``.

    Raises:
        ValueError: If there is no such model, it has no weights, they cannot
            be had, or an option is wrong.

    Example:
        >>> model = get_model('cast-t_imagenette', device='cpu')
        >>> model.backbone(torch.zeros(1, 3, 112, 112))[0].shape
        torch.Size([1, 96])
    """
    cfg, weights = read_model(name_or_path, exact=pretrained)
    cfg.merge_from_dict(dict(model=options))
    with safe_reading(), DefaultScope.overwrite_default_scope(
            cfg.get('default_scope', 'mmhierseg')):
        model = MODELS.build(cfg.model)
    if pretrained:
        load_weights(
            model, weights or f'{SCHEME}{name_or_path}', ignore=_FOLLOWERS)
    model.cfg = cfg
    return model.to(find_device(device)).eval()


def save_pretrained(model: nn.Module,
                    folder: str | Path,
                    config: str | Path | Config | dict | None = None) -> None:
    """Write a model to a folder, from which :func:`get_model` reads it.

    ``config.json`` says how to build it, and how ``HierarchyInferencer``
    prepares images for it; ``model.safetensors`` has the weights, without
    momentum encoders. Neither can execute anything.

    Args:
        model (nn.Module): What a config builds.
        folder (str | Path): Is created if there is none.
        config (str | Path | Config | dict, optional): The model's config.
            None: that of :func:`get_model` or of OpenMMLab's functions.

    Raises:
        UserError: If the model consists of other components than the shipped
            configs do, or the folder cannot be written to.
        ValueError: If the config is not known.
    """
    if config is None:
        config = getattr(model, 'cfg', None) or getattr(model, '_config', None)
    if config is None:
        raise ValueError('the model does not say how it was built: give its '
                         '`config`')
    cfg = read_config(config)
    superpixels = find_superpixels(cfg)
    if superpixels is not None:
        # They may be in a pipeline, which is not written.
        cfg.merge_from_dict(
            dict(hierarchy_inferencer=dict(superpixels=dict(superpixels))))
    write_folder(model, Path(folder), cfg)


def push_to_hub(model: nn.Module,
                repo_id: str,
                config: str | Path | Config | dict | None = None,
                private: bool | None = None,
                token: str | None = None,
                **options) -> str:
    """Publish a model on the Hugging Face hub, as :func:`save_pretrained`.

    Afterwards it is ``get_model(repo_id)``.

    Args:
        model (nn.Module): See :func:`save_pretrained`.
        repo_id (str): ``'user/repository'``; it is created if there is none.
        config (str | Path | Config | dict, optional): See there.
        private (bool, optional): Whether a new repository is private. None:
            the hub's default.
        token (str, optional): None: that of ``hf auth login``.
        **options: Of ``huggingface_hub.upload_folder``, such as
            ``commit_message`` and ``revision``.

    Returns:
        str: Address of the commit.

    Raises:
        huggingface_hub.errors.HfHubHTTPError: If the hub refuses.
        UserError, ValueError: See :func:`save_pretrained`.
    """
    from huggingface_hub import HfApi
    api = HfApi(token=token, library_name='mmhierseg')
    with TemporaryDirectory() as folder:
        save_pretrained(model, folder, config)
        api.create_repo(repo_id, private=private, exist_ok=True)
        return api.upload_folder(
            repo_id=repo_id, folder_path=folder, **options).commit_url


def read_model(model: Any,
               weights: str | None = None,
               exact: bool = True) -> tuple[Config, str | None]:
    """Config of a model, and its weights, unless others are given.

    Args:
        model (str | Path | Config | dict): As of ``HierarchyInferencer``.
        weights (str, optional): Checkpoint in place of the model's own.
        exact (bool): Whether the config gets the options that published
            weights need.
    """
    folder = find_folder(model)
    if folder is not None:
        return read_folder(folder), weights or str(folder / WEIGHTS)
    cfg = read_config(model)
    if weights is None and isinstance(
            model, str) and model.lower() in published_names():
        weights = SCHEME + model.lower()
    if exact and 'model' in cfg:
        apply_options(cfg.model, weights)
    return cfg, weights
