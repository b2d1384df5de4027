"""Configs of HSG's baselines, shrunk, and weights for those that test only.

ResNet-18 with a fraction of the channels in place of ResNet-50; otherwise
sizes are those of `helpers.configs` and `helpers.hsg_configs`.
"""

import torch
from mmengine.registry import init_default_scope

from mmhierseg.registry import MODELS

from .configs import BASELINE_CONFIGS, SIDE, load_config

BASELINE_PATHS = {path.stem: path for path in BASELINE_CONFIGS}
#: A classifier's, a contrastive model's and a segmentor's, all in one class.
_TINY = dict(depth=18, base_channels=4, stem_channels=4)
#: Of its last map.
_WIDTH = 32


def shrink_baseline_test(path):
    """Read a config of retrieval and shrink it.

    Args:
        path (Path): Of the config.

    Returns:
        Config: Of images of 96 pixels, and 5 neighbours.
    """
    cfg = load_config(path)
    hook, = cfg.custom_hooks
    for loader in (cfg.test_dataloader, cfg.val_dataloader, hook.dataloader):
        loader.num_workers = 0
        loader.pop('persistent_workers', None)
        for dataset in loader.dataset.get('datasets', [loader.dataset]):
            dataset.pipeline[1].scale = (96, 96)
    model = cfg.model
    if 'test_cfg' in model.data_preprocessor:
        model.data_preprocessor.test_cfg.size = (96, 96)
    model.embedder.backbone.update(_TINY)
    model.num_neighbors = 5
    model.kmeans.num_clusters = (2, 3)
    return cfg


def shrink_baseline_training(path):
    """Read a config of MoCo v2 or DenseCL and shrink it.

    Args:
        path (Path): Of the config.

    Returns:
        Config: Of an epoch of two batches of 4 images.
    """
    cfg = load_config(path)
    loader = cfg.train_dataloader
    loader.update(batch_size=4, num_workers=0, persistent_workers=False)
    for view in loader.dataset.pipeline[1].transforms:
        view[0].scale = SIDE
    model = cfg.model
    model.queue_len = 8
    model.backbone.update(_TINY)
    model.neck.update(in_channels=_WIDTH, hid_channels=16)
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = 1
    return cfg


def draw_resnet(seed=3):
    """Weights of a tiny ResNet, by torchvision's names.

    Args:
        seed (int): Of their draw.

    Returns:
        dict: Name -> tensor.
    """
    init_default_scope('mmpretrain')
    torch.manual_seed(seed)
    backbone = MODELS.build(dict(type='mmpretrain.ResNet', **_TINY))
    backbone.init_weights()
    return backbone.state_dict()
