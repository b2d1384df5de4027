"""Configs of segmentors, shrunk for the data of helpers.segmentation_data.

Crops and images are not square.
"""

from pathlib import Path

import torch

from mmhierseg.registry import MODELS

from .configs import DENSE_CONFIGS, has_cast, load_config, shrink_steps

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
    """Save random weights for a shrunk config to start from.

    Like those of pre-training, they have positions of a smaller image, and
    lack the parts that pre-training does not have.

    Returns:
        dict: Name in the backbone -> tensor.
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


def shrink_transforms(node):
    """Shrink the transforms of a config of MMSegmentation in place."""
    shrink_steps(node, _TRANSFORMS)
