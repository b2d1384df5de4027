"""Configs of segmentors, shrunk for the data of helpers.segmentation_data.

Crops and images are not square.
"""

import re
from pathlib import Path

import torch
from mmengine.config import Config

from mmhierseg.cli import launch
from mmhierseg.registry import MODELS

from .configs import DENSE_CONFIGS, has_cast, load_config

#: (height, width) of a tiny crop, and of the images that it is cut from.
CROP = (48, 64)
WIDTH = 48
DENSE_PATHS = {
    f'{path.parent.name}/{path.stem}': path for path in DENSE_CONFIGS
}
_TRANSFORMS = dict(
    RandomResize=dict(scale=(96, 64)),
    RandomChoiceResize=dict(scales=[48, 64], max_size=128),
    RandomCrop=dict(crop_size=CROP),
    Resize=dict(scale=(96, 64)))


def shrink_dense(path):
    """Read a config and shrink it.

    Args:
        path (Path): Of the config.

    Returns:
        Config: Two iterations of two images, then validation.
    """
    cfg = load_config(path)
    shrink_transforms(cfg._cfg_dict)
    for field in ('train', 'val', 'test'):
        cfg[f'{field}_dataloader'].update(
            num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 2
    model = cfg.model
    model.data_preprocessor.size = CROP
    _shrink_backbone(model.backbone)
    model.decode_head.in_channels = WIDTH
    for key, value in (('channels', WIDTH), ('num_heads', 4)):
        if key in model.decode_head:
            model.decode_head[key] = value
    if model.test_cfg.mode == 'slide':
        model.test_cfg.update(crop_size=CROP, stride=(32, 48))
    cfg.param_scheduler[-1].end = cfg.train_cfg.max_iters = 2
    cfg.train_cfg.val_interval = 2
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = 1
    return cfg


def save_dense_pretrained(cfg, root):
    """Draw the weights that a shrunk config starts from.

    They are those of pre-training: of other images' positions, and without
    what the recipe of pre-training does not have.

    Args:
        cfg (Config): The shrunk config.
        root (Path): Folder that the tool is run in.

    Returns:
        dict: What was written, by name in the backbone.
    """
    init_cfg = cfg.model.backbone.init_cfg
    options = dict(cfg.model.backbone, init_cfg=None, img_size=32)
    if has_cast(cfg):
        options['out_type'] = ('cls_token' if 'deit' in init_cfg.checkpoint
                               else 'avg_segments')
    torch.manual_seed(3)
    backbone = MODELS.build(options)
    weights = backbone.state_dict()
    path = Path(root) / init_cfg.checkpoint
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        dict(
            state_dict={f'backbone.{k}': v for k, v in weights.items()},
            meta={}), path)
    return weights


def train_in_two_parts(config, work):
    """Train one iteration, then resume for the second and validate.

    Args:
        config (str): File of a shrunk config, not in ``work``.
        work (Path): Folder to train in.

    Returns:
        str: The log of the second part.
    """
    words = [config, '--work-dir', str(work)]
    launch.train(
        [*words, '--no-validate', '--cfg-options', 'train_cfg.max_iters=1'])
    launch.train([*words, '--resume'])
    # One file or two: MMEngine names them by the second they begin in.
    log = ''.join(path.read_text() for path in sorted(work.rglob('*.log')))
    assert re.findall(r'Iter\(train\) +\[(\d)/.* loss: [\d.]+',
                      log) == ['1', '2']
    first, resumed, log = log.partition('resumed epoch: 0, iter: 1')
    assert resumed and 'Iter(train) [1/' in first.replace('  ', ' ')
    return log


def _shrink_backbone(backbone):
    backbone.img_size = CROP
    if backbone.type == 'mmpretrain.MoCoV3ViT':
        backbone.arch = dict(
            embed_dims=WIDTH, num_layers=2, num_heads=4,
            feedforward_channels=96)
        return
    pools = bool(backbone.num_clusters)
    backbone.arch = dict(
        embed_dims=WIDTH, depths=(1, ) * (4 if pools else 1), num_heads=4)
    backbone.num_clusters = (8, 6, 4, 2) if pools else ()


def load_all():
    """Every dense config, by name."""
    return {name: load_config(path) for name, path in DENSE_PATHS.items()}


def shrink_transforms(node):
    if isinstance(node, (dict, Config)):
        scales = _TRANSFORMS.get(node.get('type'), {})
        # Test-time augmentation has a factor instead.
        node.update({k: v for k, v in scales.items() if k in node})
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            shrink_transforms(child)
