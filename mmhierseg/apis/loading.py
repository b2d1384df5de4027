"""Load a model from its config, together with its data preprocessor."""

import copy
import math
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmengine.utils import to_2tuple
from torch import Tensor, nn

from mmhierseg._base.safe_load import safe_reading
from mmhierseg.checkpoints import load_weights
from mmhierseg.checkpoints.hub import download_model
from mmhierseg.checkpoints.published import nearest_names, read_entries
from mmhierseg.models.data_preprocessors import SuperpixelMixin
from mmhierseg.registry import MODELS, SUPERPIXELS
from mmhierseg.superpixels.base import check_number

from .images import ImageSize, check_image_size

#: Default: ImageNet's normalisation.
_IMAGENET = dict(
    type='mmengine.ImgDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True)
#: Models that are built whole: they segment, and have no CAST as `backbone`.
RETRIEVAL = ('HSG', 'RetrievalSegmentor')
WHOLE = ('HSG', 'KMeansHierarchy')
# Shorter side of an image of 4:3 and 512 pixels, as in retrieval on VOC.
_RETRIEVAL_SIZE = 384
# Layers behind the hierarchy: a classifier has a norm where a segmentor has a
# fusion, and neither takes part in grouping.
_OUTPUT_LAYERS = ('norm.*', 'fusion.*')
#: Options of superpixels that set their size.
_SIZES = {'segment_size', 'num_segments'}
_SUFFIXES = ('.py', '.json', '.yaml', '.yml')


class ModelSettings(NamedTuple):
    """Settings of a model, and of how an image is prepared for it."""

    model: ConfigDict  # what is built: a CAST backbone, or a whole model
    preprocessor: ConfigDict  # without padding
    superpixels: dict | None  # None = it takes none
    img_size: ImageSize
    scope: str


class LoadedModel(NamedTuple):
    """A model in evaluation mode, and its data preprocessor."""

    module: nn.Module
    preprocessor: nn.Module

    def inputs(self, images: list[np.ndarray]) -> Tensor:
        """Input (B, C, h, w) of images (h, w, 3) uint8, RGB, of one size."""
        # Preprocessors take what loaders give: BGR.
        pixels = torch.from_numpy(np.stack(images)[..., ::-1].copy())
        data = dict(inputs=pixels.permute(0, 3, 1, 2), data_samples=None)
        return self.preprocessor(data)['inputs']


def read_config(model: str | Path | Config | dict) -> Config:
    """Read a path, ``mmhierseg::NAME`` or a model's name, or copy a config."""
    if isinstance(model, Config):
        return copy.deepcopy(model)
    if isinstance(model, dict):
        return Config(copy.deepcopy(ConfigDict(model)))
    if not isinstance(model, (str, Path)):
        raise TypeError('`model` must be a config, its path, or the name of a '
                        f'model, got {type(model).__name__}')
    name = str(model)
    if Path(model).is_file():
        return _read(name, Config.fromfile)
    if '::' in name:
        return _read(name, get_config)
    if name.endswith(_SUFFIXES):
        raise FileNotFoundError(f'config {name!r} does not exist')
    entries = read_entries()
    entry = entries.get(name.lower())
    if entry is not None and entry.config is not None:
        return _read(str(entry.config), Config.fromfile)
    names = [key for key, found in entries.items() if found.config is not None]
    raise ValueError(f'there is neither a config file nor a model {name!r}; '
                     f'models: {nearest_names(name, names)}')


def find_folder(model: Any) -> Path | None:
    """Folder of a saved model: the one given, or that of a repository.

    A name 'user/repository' that is no file and no config's is looked up on
    the hub. Raises a UserError if it cannot be downloaded.
    """
    if not isinstance(model, (str, Path)):
        return None
    if Path(model).is_dir():
        return Path(model)
    name = str(model)
    if (isinstance(model, str) and re.fullmatch(r'[\w.-]+/[\w.-]+', name)
            and not name.endswith(_SUFFIXES) and not Path(name).exists()
            and name.lower() not in read_entries()):
        return download_model(name)
    return None


def read_settings(cfg: Config,
                  img_size: ImageSize | None = None,
                  segment_size: float | None = None,
                  retrieval: bool = False,
                  superpixels: str | dict | None = None) -> ModelSettings:
    """Read from a config what is built, and how images are prepared for it.

    ``HSG``, ``KMeansHierarchy`` and, with ``retrieval``,
    ``RetrievalSegmentor`` are built whole; of other models, only the CAST.
    Superpixels are those of the data preprocessor, else of the pipelines'
    ``GenerateSuperpixels``, else of ``hierarchy_inferencer``, else of the
    backbone, else, for CAST, ``TorchSLIC`` with 16 pixels a side; or, in their
    place and of their size, the ones that are given.
    """
    model = copy.deepcopy(cfg.get('model', ConfigDict()))
    preprocessor = copy.deepcopy(
        model.pop('data_preprocessor', None) or cfg.get('data_preprocessor')
        or ConfigDict(_IMAGENET))
    backbone = model.get('embedder', model).get('backbone', {})
    whole = _kind(model) in (RETRIEVAL if retrieval else WHOLE)
    if retrieval and not whole:
        raise ValueError(
            "the config must be of 'mmhierseg.HSG' or "
            f"'mmhierseg.RetrievalSegmentor', got {model.get('type')!r}")
    if not whole and ('embedder' in model or _kind(backbone) != 'CAST'):
        found = model.get('backbone', {}).get('type')
        raise ValueError(
            f"the config must be of {' or '.join(WHOLE)}, or have "
            f"`model.backbone` of type 'mmhierseg.CAST', got {found!r}")
    scope = cfg.get('default_scope', 'mmhierseg')
    defaults = cfg.get('hierarchy_inferencer', {})
    size = to_2tuple(backbone.get('img_size', 224))
    if img_size is None:
        img_size = defaults.get('img_size',
                                _RETRIEVAL_SIZE if whole else min(size))
    sized = isinstance(superpixels, dict) and _SIZES & superpixels.keys()
    if segment_size is None and not sized:
        segment_size = defaults.get('segment_size')
    own = find_superpixels(cfg)
    if not own and _kind(backbone) == 'CAST':
        own = backbone.get('superpixels') or dict(type='TorchSLIC')
    superpixels = _in_place_of(own, superpixels)
    if not superpixels and segment_size is not None:
        raise ValueError(
            '`segment_size` is the side of superpixels, and this model takes '
            'none: leave it out; k-means in the config says how many segments '
            'there are')
    # The default of MMPretrain's models.
    preprocessor.setdefault('type', 'mmpretrain.ClsDataPreprocessor')
    # A batch has images of one size, so results need not depend on it.
    for key in ('pad_size_divisor', 'test_cfg'):
        preprocessor.pop(key, None)
    if superpixels:
        superpixels = _with_segment_size(superpixels, segment_size, size)
        with DefaultScope.overwrite_default_scope(scope):
            kind = MODELS.get(preprocessor.type)
        # Where the preprocessor makes none, CAST does.
        makes = kind is not None and issubclass(kind, SuperpixelMixin)
        (preprocessor if makes else backbone)['superpixels'] = superpixels
    built = model if whole else backbone
    built.type = f'mmhierseg.{_kind(built)}'
    return ModelSettings(built, preprocessor, superpixels,
                         check_image_size(img_size), scope)


def load_model(settings: ModelSettings,
               weights: str | None,
               device: torch.device) -> LoadedModel:
    """Build a model, and load a checkpoint, else what its config names."""
    with safe_reading(), DefaultScope.overwrite_default_scope(settings.scope):
        model = MODELS.build(settings.model)
        preprocessor = MODELS.build(settings.preprocessor)
    if weights is None:
        if model.init_cfg is not None:
            with safe_reading():
                model.init_weights()
        else:
            warnings.warn(
                'no `weights` were given: the model is random, and so is the '
                'way it groups pixels',
                stacklevel=4)
    elif settings.model.type == 'mmhierseg.CAST':
        load_weights(model, weights, 'backbone.', _OUTPUT_LAYERS)
    else:
        load_weights(model, weights)
    return LoadedModel(model.to(device).eval(), preprocessor.to(device))


def find_device(device: str | torch.device | None) -> torch.device:
    """Check that a device exists by using it. None: a GPU if there is one."""
    try:
        found = torch.device(get_device() if device is None else device)
        torch.zeros(1, device=found).cpu()  # 'meta' takes tensors, gives none
    except (AssertionError, ImportError, RuntimeError, TypeError) as error:
        # Each backend that is absent complains in its own way.
        raise ValueError(
            "`device` must be one of this machine, e.g. 'cpu' (it has "
            f'{torch.cuda.device_count()} GPUs of CUDA), or None, got '
            f'{str(device)!r}') from error
    return found


def _read(name: str, reader: Callable[[str], Config]) -> Config:
    try:
        with safe_reading():
            return reader(name)
    except Exception as error:
        # A config is a program, which can fail in any way.
        raise ValueError(
            f'config {name!r} cannot be read: {type(error).__name__}: '
            f'{error}; correct it or name another') from error


def _kind(part: dict) -> str:
    """Name of the class, without its scope."""
    return str(part.get('type')).split('.')[-1]


def find_superpixels(cfg: Config) -> dict | None:
    """Superpixels of the data preprocessor, else of the first pipeline."""
    preprocessor = cfg.get('model', {}).get(
        'data_preprocessor') or cfg.get('data_preprocessor') or {}
    if preprocessor.get('superpixels'):
        return preprocessor.superpixels
    for split in ('test', 'val', 'train'):
        loader = cfg.get(f'{split}_dataloader') or {}
        for node in _dicts_in(loader.get('dataset')):
            if _kind(node) == 'GenerateSuperpixels':
                return node.get('superpixels')
    return cfg.get('hierarchy_inferencer', {}).get('superpixels')


def _in_place_of(own: dict | None,
                 superpixels: str | dict | None) -> dict | None:
    """The config's own superpixels, or others of their size."""
    if superpixels is None:
        return own
    if not own:
        raise ValueError('`superpixels` were given, but this model takes '
                         'none: leave them out')
    settings = dict(type=superpixels) if isinstance(
        superpixels, str) else dict(superpixels)
    if settings.get('type') is None or SUPERPIXELS.get(
            settings['type']) is None:
        raise ValueError(
            '`superpixels` must be, or have as `type`, one of '
            f'{", ".join(sorted(SUPERPIXELS.module_dict))}, got '
            f'{superpixels!r}')
    if not _SIZES & settings.keys():
        settings.update({key: own[key] for key in _SIZES if own.get(key)})
    return settings


def _dicts_in(node: Any) -> Iterator[dict]:
    """All dicts in nested dicts and lists, outer ones first."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from _dicts_in(child)


def _with_segment_size(superpixels: dict, segment_size: float | None,
                       img_size: tuple[int, int]) -> dict:
    """A number of superpixels becomes their size in an image of that size."""
    settings = dict(superpixels)
    count = settings.pop('num_segments', None)
    if segment_size is None:
        segment_size = settings.get('segment_size') or (
            math.sqrt(math.prod(img_size) / count) if count else 16)
    check_number('segment_size', segment_size, minimum=1)
    return dict(settings, segment_size=segment_size)
