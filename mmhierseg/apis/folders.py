"""A model as a folder: ``config.json``, which is data, and its weights."""

import json
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from safetensors.torch import save
from torch import nn

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints.hub import CONFIG, WEIGHTS
from mmhierseg.version import __version__

#: Components that a ``config.json`` may name: those of the shipped configs.
COMPONENTS = frozenset({
    # Models.
    'DenseCL', 'EncoderDecoder', 'HSG', 'HierarchyEncoderDecoder',
    'ImageClassifier', 'KMeansHierarchy', 'LeanEncoderDecoder', 'MoCo',
    'MoCoV3', 'RetrievalSegmentor',
    # Data preprocessors.
    'ClsDataPreprocessor', 'ImgDataPreprocessor',
    'MultiViewSegDataPreProcessor', 'SegDataPreProcessor',
    'SelfSupDataPreprocessor', 'SuperpixelClsDataPreprocessor',
    'SuperpixelSegDataPreProcessor', 'SuperpixelSelfSupDataPreprocessor',
    # Superpixels.
    'Grid', 'SEEDS', 'SLIC', 'TorchSLIC',
    # Backbones, necks, and what makes embeddings.
    'CAST', 'DINOv3ViT', 'DenseCLNeck', 'EmbeddingNeck', 'FPN',
    'Feature2Pyramid', 'FeatureMapEmbedder', 'GlobalAveragePooling',
    'MoCoV2Neck', 'MoCoV3ConvViT', 'MoCoV3ViT', 'NonLinearNeck', 'ResNet',
    'SegmentEmbedder', 'SwinTransformer', 'VisionTransformer',
    # Heads.
    'ContrastiveHead', 'DepthwiseSeparableASPPHead', 'FCNHead', 'FPNHead',
    'HSGHead', 'LinearClsHead', 'Mask2FormerHead', 'MoCoV3Head',
    'SegformerHead', 'SegmentFCNHead', 'SegmentMaskTransformerHead',
    'SegmenterMaskTransformerHead', 'UPerHead', 'VisionTransformerClsHead',
    # Losses, augmentations, norms and activations.
    'BN', 'BN1d', 'CrossEntropyLoss', 'CutMix', 'GELU', 'GN',
    'LabelSmoothLoss', 'LN', 'Mixup', 'ReLU', 'SyncBN',
    # MMDetection's, in Mask2Former.
    'mmdet.ClassificationCost', 'mmdet.CrossEntropyLoss',
    'mmdet.CrossEntropyLossCost', 'mmdet.DiceCost', 'mmdet.DiceLoss',
    'mmdet.HungarianAssigner', 'mmdet.MSDeformAttnPixelDecoder',
    'mmdet.MaskPseudoSampler',
})  # yapf: disable
_SCOPES = ('mmcv', 'mmengine', 'mmhierseg', 'mmpretrain', 'mmseg')
_KEYS = {'data_preprocessor', 'default_scope', 'hierarchy_inferencer',
         'mmhierseg_version', 'model'}
#: Where a model starts from, which its weights replace.
_STARTS = ('init_cfg', 'pretrained')
#: These name files or modules.
_REFUSED = {*_STARTS, 'checkpoint', 'custom_imports', 'imports', 'load_from'}
_LEFT_OUT = ('momentum_encoder.', 'data_preprocessor.')


def read_folder(folder: Path) -> Config:
    """Config of a model in a folder; its weights are ``model.safetensors``.

    Nothing in it is executed, whoever wrote it: only components of an explicit
    list are built.

    Raises:
        UserError: If there is none, or it names anything else.
    """
    path = folder / CONFIG
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(f'the folder {str(folder)!r} holds no model: it '
                            f'has no {name}, which `save_pretrained` writes')
    try:
        content = json.loads(path.read_bytes())
        _check(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f'{str(path)!r} was not read: {error}') from error
    return Config({
        key: value for key, value in content.items()
        if key != 'mmhierseg_version'
    })


def write_folder(model: nn.Module, folder: Path, cfg: Config) -> None:
    """Write a model for :func:`read_folder`, without momentum encoders.

    Raises UserError if the config has what that would refuse, or the folder
    cannot be written to.
    """
    content = dict(mmhierseg_version=__version__, **as_data(cfg))
    weights = {
        # Parts that share memory get their own.
        name: tensor.detach().cpu().clone(
            memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
        if not name.startswith(_LEFT_OUT)
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / WEIGHTS, save(weights, dict(format='pt')))
        write_atomically(folder / CONFIG,
                         json.dumps(content, indent=2).encode() + b'\n')
    except OSError as error:
        raise UserError(f'cannot write to {str(folder)!r}: '
                        f'{error.strerror}') from error


def as_data(cfg: Config) -> dict[str, Any]:
    """Parts of a config that make a model, for JSON.

    Raises a UserError if they are more than data.
    """
    content = {
        key: _plain(cfg[key], key)
        for key in sorted(_KEYS & cfg.keys()) if cfg[key] is not None
    }
    try:
        _check(content)
    except ValueError as error:
        raise UserError(
            f'the model cannot be saved as data: {error}') from None
    return content


def _plain(value: Any, where: str) -> Any:
    """Data for JSON, without where training started from."""
    if isinstance(value, dict):
        return {
            str(key): _plain(item, f'{where}.{key}')
            for key, item in value.items() if key not in _STARTS
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item, where) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise UserError(f'`{where}` of the config must be a number, a string, or '
                    f'a list or dict of such, got {value!r}')


def _check(content: Any) -> None:
    """Raise a ValueError if a config could do more than build a model."""
    if not isinstance(content, dict) or not isinstance(
            content.get('model'), dict):
        raise ValueError('it must be a dict with a dict `model`')
    if unknown := sorted(content.keys() - _KEYS):
        raise ValueError(f'it may have {", ".join(sorted(_KEYS))}, got '
                         f'{", ".join(unknown)}')
    _check_scope(content.get('default_scope', 'mmhierseg'))
    for key in ('model', 'data_preprocessor', 'hierarchy_inferencer'):
        _check_node(content.get(key), key)


def _check_node(node: Any, where: str) -> None:
    if isinstance(node, list):
        for item in node:
            _check_node(item, where)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == 'type':
                _check_type(value, where)
            elif key == '_scope_':
                _check_scope(value)
            elif key.startswith('_') or key in _REFUSED:
                raise ValueError(f'`{where}.{key}` is refused: a config of a '
                                 'model as data names no files or modules')
            else:
                _check_node(value, f'{where}.{key}')


def _check_type(kind: Any, where: str) -> None:
    scope, _, name = str(kind).rpartition('.')
    # Others' components are in the list with their scope.
    known = name if scope in ('', *_SCOPES) else str(kind)
    if not isinstance(kind, str) or known not in COMPONENTS:
        raise ValueError(f'`{where}.type` is {kind!r}, which is not among the '
                         'components that may be built, '
                         'mmhierseg.apis.folders.COMPONENTS')


def _check_scope(scope: Any) -> None:
    if scope not in _SCOPES:
        raise ValueError(f'a scope must be one of {", ".join(_SCOPES)}, got '
                         f'{scope!r}')
