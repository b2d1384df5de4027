"""Configs of HSG's baselines, shrunk to a narrow ResNet-18."""

import torch
from mmengine.registry import init_default_scope

from mmhierseg.registry import MODELS

from .configs import BASELINE_CONFIGS, SIDE, load_config
from .retrieval import shrink_loaders

BASELINE_PATHS = {path.stem: path for path in BASELINE_CONFIGS}
_TINY = dict(depth=18, base_channels=4, stem_channels=4)
#: Of its last map.
_WIDTH = 32


def shrink_baseline_test(path):
    """Read a config of retrieval and shrink it: 96 pixels, 5 neighbours."""
    cfg = load_config(path)
    shrink_loaders(cfg)
    model = cfg.model
    if 'test_cfg' in model.data_preprocessor:
        model.data_preprocessor.test_cfg.size = (96, 96)
    model.embedder.backbone.update(_TINY)
    model.num_neighbors = 5
    model.kmeans.num_clusters = (2, 3)
    return cfg


def shrink_baseline_training(path):
    """Read a config of MoCo v2 or DenseCL; one epoch of 4-image batches."""
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
    """Random weights of a tiny ResNet, by torchvision's names."""
    init_default_scope('mmpretrain')
    torch.manual_seed(seed)
    backbone = MODELS.build(dict(type='mmpretrain.ResNet', **_TINY))
    backbone.init_weights()
    return backbone.state_dict()
