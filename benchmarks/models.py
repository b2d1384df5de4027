"""The models that are compared, and how each is built.

All come from configs of this repository or of MMPretrain; nothing is written
anew. Where two configs differ in what is not the model's, this is set alike:
no stochastic depth (of the ViT-S and CAST-S configs only one has it) and no
synchronised batch norm (there is one process).
"""

from copy import deepcopy
from pathlib import Path
from typing import Dict, NamedTuple, Optional

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope

from mmhierseg.cli.options import read_config

__all__ = [
    'CONTENDERS', 'SUPERPIXELS', 'Contender', 'build_model', 'model_config'
]

ROOT = Path(__file__).resolve().parents[2]
#: What makes superpixels, in advance or in the step: that of the configs
#: `*_torchslic.py`. 196 of them in 224 x 224 pixels.
SUPERPIXELS = dict(type='TorchSLIC', segment_size=16)
_PREFIX = 'mmpretrain::'


class Contender(NamedTuple):
    """A model that takes part."""

    baseline: str
    """Name of the ViT of its size, which it is compared with."""

    classifier: str
    """Config of a classifier, below configs/ or, with the prefix
    `mmpretrain::`, of that package."""

    learner: str
    """Config of MoCo v3 around the same backbone."""

    takes_superpixels: bool = False

    classifier_options: Optional[Dict[str, object]] = None
    """What to override in the classifier's config."""

    learner_options: Optional[Dict[str, object]] = None
    """What to override in the config of MoCo v3."""


#: For images below 224, whose last maps are smaller than a window; changes
#: nothing for others.
_SMALL_IMAGES = {'model.backbone.pad_small_map': True}
#: The S before the B, ViT the first of each.
CONTENDERS = {
    'vit-s':
    Contender('vit-s', 'mmpretrain::deit/deit-small_4xb256_in1k.py',
              'baselines/vit-s_in1k.py'),
    'cast-s':
    Contender('vit-s', 'cast/cast-s_deit_in1k.py', 'cast/cast-s_in1k.py',
              takes_superpixels=True),
    'swin-t':
    Contender('vit-s',
              'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
              'baselines/swin-t_in1k.py',
              classifier_options=_SMALL_IMAGES,
              learner_options=_SMALL_IMAGES),
    'vit-b':
    Contender(
        'vit-b',
        'mmpretrain::deit/deit-base_16xb64_in1k.py',
        'baselines/vit-s_in1k.py',
        learner_options={
            'model.backbone.arch': 'base',
            'model.neck.in_channels': 768
        }),
    'cast-b':
    Contender('vit-b', 'cast/cast-b_deit_in1k.py', 'cast/cast-b_in1k.py',
              takes_superpixels=True),
}


def model_config(contender: Contender, learner: bool, img_size: int,
                 make_superpixels: bool) -> ConfigDict:
    """Config of a classifier, or of MoCo v3.

    Args:
        contender (Contender): The model.
        learner (bool): Whether MoCo v3 is wanted, not the classifier.
        img_size (int): Height and width of images.
        make_superpixels (bool): Whether the data preprocessor makes
            superpixels from the batch; otherwise a model that takes them
            expects them with the images.

    Returns:
        ConfigDict: What MMPretrain builds the model from.
    """
    cfg = _read(contender.learner if learner else contender.classifier)
    cfg.merge_from_dict({'model.backbone.img_size': img_size})
    if not learner:
        cfg.merge_from_dict({'model.backbone.drop_path_rate': 0.})
    options = (contender.learner_options if learner else
               contender.classifier_options)
    # Merging takes `_delete_` out of what it is given.
    cfg.merge_from_dict(deepcopy(options or {}))
    settings = cfg.model
    settings.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    if make_superpixels:
        settings.data_preprocessor.superpixels = SUPERPIXELS
    return settings


def build_model(settings: ConfigDict) -> BaseModel:
    """Build a model with random weights, in one process.

    Args:
        settings (ConfigDict): Of :func:`model_config`.

    Returns:
        BaseModel: The model, on the CPU.
    """
    init_default_scope('mmpretrain')
    model = revert_sync_batchnorm(MODELS.build(settings))
    model.init_weights()
    return model


def _read(name: str) -> Config:
    if name.startswith(_PREFIX):
        return get_config(name)
    return read_config(str(ROOT / 'configs' / name))
