"""What has to be known of a config to segment images of a user."""

import copy
import math
from pathlib import Path
from typing import (
    Any,
    Callable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Tuple,
    Union,
)

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.infer import BaseInferencer

from mmhierseg.superpixels.base import check_number

from .scaling import ImageSize, check_image_size

__all__ = [
    'ModelSettings', 'read_config', 'read_retrieval_settings', 'read_settings'
]

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)
# Shorter side of an image of 4:3 whose longer one is 512, as in retrieval on
# VOC.
_RETRIEVAL_SIZE = 384


class ModelSettings(NamedTuple):
    """Settings of a model, and of how an image is prepared for it."""

    model: ConfigDict
    """Config of what is built: a CAST backbone, or a whole model."""

    superpixels: Optional[dict]
    """Config of what makes its superpixels; None = it takes none."""

    mean: Tuple[float, ...]
    """Mean that the image is normalised with, in 0..255."""

    std: Tuple[float, ...]
    """Standard deviation, likewise."""

    rgb: bool
    """Whether the model takes RGB; otherwise BGR."""

    img_size: ImageSize
    """Size to scale images to; as an int, the shorter side."""


def read_config(model: Union[str, Path, Config, ConfigDict, dict]) -> Config:
    """Find and read a config.

    Args:
        model (str | Path | Config | ConfigDict | dict): Path of a config
            file; ``mmhierseg::`` and the name of a file under ``configs``;
            name of a model in the metafiles, e.g. 'cast-s_in1k'; or a config,
            which is copied.

    Returns:
        Config: The config.

    Raises:
        FileNotFoundError: If there is no file of that path.
        TypeError: If ``model`` is something else.
        ValueError: If no model has that name, or reading the config fails,
            for whatever reason.
    """
    if isinstance(model, Config):
        return copy.deepcopy(model)
    if isinstance(model, dict):
        return Config(copy.deepcopy(ConfigDict(model)))
    if not isinstance(model, (str, Path)):
        raise TypeError('`model` must be a config, its path, or the name of a '
                        f'model, got {type(model).__name__}')
    if Path(model).is_file():
        return _read(str(model), Config.fromfile)
    name = str(model)
    if '::' in name:
        return _read(name, get_config)
    if name.endswith(('.py', '.json', '.yaml', '.yml')):
        raise FileNotFoundError(f'config {name!r} does not exist')
    return _from_metafiles(name)


def read_settings(cfg: Config,
                  img_size: Optional[ImageSize] = None,
                  segment_size: Optional[float] = None) -> ModelSettings:
    """Read what a config says about a model of hierarchies and its inputs.

    Of a model with a CAST backbone, only that is built; HSG is built whole,
    and takes no superpixels.

    Superpixels are made as the config's data preprocessor says; else as its
    pipelines' ``GenerateSuperpixels``; else as its backbone's; else by
    ``TorchSLIC`` with 16 pixels a side. A number of superpixels is turned
    into the size that it means at the backbone's image size, so that images
    of other sizes are cut equally fine.

    Args:
        cfg (Config): Config of an MMPretrain classifier or MoCoV3, of an
            MMSegmentation segmentor, or of HSG. An entry
            ``hierarchy_inferencer``, a dict, gives its own defaults for the
            arguments below.
        img_size (ImageSize, optional): Size to scale images to. Defaults to
            None, the backbone's for the shorter side (384 for HSG).
        segment_size (float, optional): Side in pixels of the average
            superpixel. Defaults to None, that of training.

    Returns:
        ModelSettings: The settings.

    Raises:
        TypeError: If ``segment_size`` is no number.
        ValueError: If the config is not of HSG and its backbone is no CAST,
            or ``segment_size`` is less than 1 or there are no superpixels.
    """
    if _kind(cfg.get('model', {})) == 'HSG':
        return read_retrieval_settings(cfg, img_size, segment_size)
    backbone = cfg.get('model', {}).get('backbone', {})
    if _kind(backbone) != 'CAST':
        raise ValueError(
            "the config must be of 'mmhierseg.HSG', or have `model.backbone` "
            f"of type 'mmhierseg.CAST', got {backbone.get('type')!r}")
    model = copy.deepcopy(backbone)
    model.type = 'mmhierseg.CAST'
    return _settings(cfg, model, backbone, min(_image_size(backbone)),
                     img_size, segment_size)


def read_retrieval_settings(
        cfg: Config,
        img_size: Optional[ImageSize] = None,
        segment_size: Optional[float] = None) -> ModelSettings:
    """Read what a config says about a model of retrieval and its inputs.

    The model is built whole. Superpixels are those of :func:`read_settings`,
    if the model takes any.

    Args:
        cfg (Config): Config of ``HSG`` or ``RetrievalSegmentor``.
        img_size (ImageSize, optional): Size to scale images to. Defaults to
            None: what ``hierarchy_inferencer`` of the config says, else 384
            for the shorter side.
        segment_size (float, optional): As in :func:`read_settings`.

    Returns:
        ModelSettings: The settings.

    Raises:
        TypeError: If ``segment_size`` is no number.
        ValueError: If the config is of another model, or ``segment_size`` is
            less than 1 or there are no superpixels.
    """
    model = copy.deepcopy(cfg.get('model', {}))
    if _kind(model) not in ('HSG', 'RetrievalSegmentor'):
        raise ValueError(
            "the config must be of 'mmhierseg.HSG' or "
            f"'mmhierseg.RetrievalSegmentor', got {model.get('type')!r}")
    model.type = f'mmhierseg.{_kind(model)}'
    embedder = model.get('embedder', model)
    return _settings(cfg, model, embedder.get('backbone', {}),
                     _RETRIEVAL_SIZE, img_size, segment_size)


def _settings(cfg: Config, model: ConfigDict, backbone: dict,
              default_size: int, img_size: Optional[ImageSize],
              segment_size: Optional[float]) -> ModelSettings:
    """Settings of a model with some backbone."""
    defaults = cfg.get('hierarchy_inferencer', {})
    if img_size is None:
        img_size = defaults.get('img_size', default_size)
    if segment_size is None:
        segment_size = defaults.get('segment_size')
    preprocessor = cfg.model.get('data_preprocessor') or cfg.get(
        'data_preprocessor') or {}
    superpixels = _superpixels(cfg, preprocessor, backbone)
    if superpixels is not None:
        superpixels = _with_segment_size(superpixels, segment_size,
                                         _image_size(backbone))
    elif segment_size is not None:
        raise ValueError(
            '`segment_size` is the side of superpixels, and this model takes '
            'none: leave it out; k-means in the config says how many segments '
            'there are')
    return ModelSettings(
        model=model,
        superpixels=superpixels,
        img_size=check_image_size(img_size),
        **_normalisation(preprocessor))


def _kind(part: dict) -> str:
    """Name of the class, without its scope."""
    return str(part.get('type')).split('.')[-1]


def _image_size(backbone: dict) -> Tuple[int, int]:
    size = backbone.get('img_size', 224)
    return (size, size) if isinstance(size, int) else tuple(size)


def _superpixels(cfg: Config, preprocessor: dict,
                 backbone: dict) -> Optional[dict]:
    """What makes superpixels for a model; None if it is not for them."""
    found = preprocessor.get('superpixels') or _pipeline_superpixels(cfg)
    if found or _kind(backbone) != 'CAST':
        return found
    return backbone.get('superpixels') or dict(type='TorchSLIC')


def _read(name: str, reader: Callable[[str], Config]) -> Config:
    """Read a config, and name it if that fails."""
    try:
        return reader(name)
    except Exception as error:
        # A config is a program, which can go wrong in any way.
        what = type(error).__name__
        raise ValueError(f'config {name!r} cannot be read: {what}: {error}; '
                         'mend it or name another') from error


def _normalisation(preprocessor: dict) -> dict:
    """Mean, standard deviation and channel order of a data preprocessor."""
    if not preprocessor:
        return dict(mean=_IMAGENET_MEAN, std=_IMAGENET_STD, rgb=True)
    # Loaders read BGR; a preprocessor that is not told to swap leaves it.
    rgb = any(preprocessor.get(key) for key in ('to_rgb', 'bgr_to_rgb'))
    if preprocessor.get('mean') is None:
        return dict(mean=(0., 0., 0.), std=(1., 1., 1.), rgb=rgb)
    return dict(
        mean=tuple(preprocessor['mean']),
        std=tuple(preprocessor['std']),
        rgb=rgb)


def _from_metafiles(name: str) -> Config:
    root = Path(BaseInferencer._get_repo_or_mim_dir('mmhierseg'))
    names: List[str] = []
    for entry in BaseInferencer._get_models_from_metafile(str(root)):
        names.append(entry['Name'])
        if entry['Name'].lower() == name.lower():
            return _read(str(root / entry['Config']), Config.fromfile)
    raise ValueError(f'there is neither a config file nor a model {name!r}; '
                     f'models: {", ".join(sorted(names))}')


def _pipeline_superpixels(cfg: Config) -> Optional[dict]:
    """Superpixels of the first pipeline that makes any."""
    for split in ('test', 'val', 'train'):
        loader = cfg.get(f'{split}_dataloader') or {}
        for node in _dicts_in(loader.get('dataset')):
            if str(node.get('type')).split('.')[-1] == 'GenerateSuperpixels':
                return node.get('superpixels')
    return None


def _dicts_in(node: Any) -> Iterator[dict]:
    """All dicts in nested dicts and lists, outer ones first."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from _dicts_in(child)


def _with_segment_size(superpixels: dict, segment_size: Optional[float],
                       img_size: Tuple[int, int]) -> dict:
    settings = dict(superpixels)
    count = settings.pop('num_segments', None)
    if segment_size is None:
        segment_size = settings.get('segment_size')
    if segment_size is None:
        segment_size = math.sqrt(math.prod(img_size) / count) if count else 16
    check_number('segment_size', segment_size, minimum=1)
    settings['segment_size'] = segment_size
    return settings
