"""The classifiers that are compared, and how each is built.

All come from configs of this repository or of MMPretrain: a ViT is DeiT's as
a classifier, and that of CAST's paper in MoCo v3. Where two configs
differ in what is not the model's, this is set alike: no stochastic depth (of
the ViT-S and CAST-S configs only one has it) and no synchronised batch norm
(there is one process).
"""

from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope

from mmhierseg._base.safe_load import safe_reading

__all__ = [
    'CONTENDERS', 'SUPERPIXELS', 'Contender', 'build_model', 'model_config',
    'read_config'
]

ROOT = Path(__file__).resolve().parents[1]
#: Superpixels of the configs `*_torchslic.py`: 196 in 224 x 224 pixels.
SUPERPIXELS = dict(type='TorchSLIC', segment_size=16)


class Contender(NamedTuple):
    """A model that takes part."""

    baseline: str
    """Name of the ViT of its size, which it is compared with."""

    classifier: str
    """Config of a classifier, below configs/ or of MMPretrain."""

    learner: str
    """Config of MoCo v3 around the same backbone."""

    takes_superpixels: bool = False

    classifier_options: dict[str, object] = {}
    """Overrides of the classifier's config."""

    learner_options: dict[str, object] = {}
    """Overrides of the config of MoCo v3."""


#: For images below 224, whose last maps are smaller than a window; changes
#: nothing for others.
_SMALL_IMAGES = {'model.backbone.pad_small_map': True}
_ONE_GRAPH = {'model.backbone.num_tokens': 196,
              'model.backbone.compile_cfg': {}}
#: S before B, ViT the first of each.
CONTENDERS = {
    'vit-s':
    Contender('vit-s', 'mmpretrain::deit/deit-small_4xb256_in1k.py',
              'baselines/vit-conv-s_in1k.py'),
    'cast-s':
    Contender('vit-s', 'cast/cast-s_deit_in1k.py', 'cast/cast-s_in1k.py',
              takes_superpixels=True),
    'cast-s-compiled':
    Contender('vit-s', 'cast/cast-s_deit_in1k.py', 'cast/cast-s_in1k.py',
              takes_superpixels=True,
              classifier_options=_ONE_GRAPH, learner_options=_ONE_GRAPH),
    'swin-t':
    Contender('vit-s',
              'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
              'baselines/swin-t_in1k.py',
              classifier_options=_SMALL_IMAGES,
              learner_options=_SMALL_IMAGES),
    'vit-b':
    Contender('vit-b', 'mmpretrain::deit/deit-base_16xb64_in1k.py',
              'baselines/vit-conv-b_in1k.py'),
    'cast-b':
    Contender('vit-b', 'cast/cast-b_deit_in1k.py', 'cast/cast-b_in1k.py',
              takes_superpixels=True),
}


@safe_reading()
def read_config(name: str) -> Config:
    """Read a config below configs/, or of another package (`mmseg::...`)."""
    if '::' in name:
        return get_config(name)
    return Config.fromfile(str(ROOT / 'configs' / name))


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
        ConfigDict: For :func:`build_model`.
    """
    cfg = read_config(contender.learner if learner else contender.classifier)
    cfg.merge_from_dict({'model.backbone.img_size': img_size})
    if not learner:
        cfg.merge_from_dict({'model.backbone.drop_path_rate': 0.})
    # Merging takes `_delete_` out of its argument.
    cfg.merge_from_dict(
        deepcopy(contender.learner_options if learner else contender.
                 classifier_options))
    settings = cfg.model
    settings.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    if make_superpixels:
        settings.data_preprocessor.superpixels = SUPERPIXELS
    return settings


@safe_reading()
def build_model(settings: ConfigDict) -> BaseModel:
    """Build a model with random weights, in one process, on the CPU."""
    init_default_scope('mmpretrain')
    model = revert_sync_batchnorm(MODELS.build(settings))
    model.init_weights()
    return model
