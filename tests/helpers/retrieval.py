"""Configs of retrieval, shrunk as in helpers.configs, and their weights."""

import torch

from mmhierseg.checkpoints import convert_dino_checkpoint
from mmhierseg.registry import MODELS

from .configs import (
    RETRIEVAL_CONFIGS,
    ROOT,
    SIDE,
    WIDTH,
    load_config,
    save_weights,
    shrink,
    shrink_cast,
    shrink_steps,
)
from .dino import released_dino

RETRIEVAL_PATHS = {
    f'{path.parent.name}/{path.stem}': path for path in RETRIEVAL_CONFIGS
}


def shrink_loaders(cfg):
    """Shrink the images of the bank and of the test, in place."""
    hook, = cfg.custom_hooks
    for loader in (cfg.test_dataloader, cfg.val_dataloader, hook.dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        for dataset in loader.dataset.get('datasets', [loader.dataset]):
            shrink_steps(dataset.pipeline, {
                'Resize': dict(scale=(96, 96)),
                'mmhierseg.ResizeOwnSize': dict(longer_side=96)})


def shrink_retrieval(path):
    """Read a config and shrink it to the sizes of `helpers.configs`."""
    cfg = load_config(path)
    hook, = cfg.custom_hooks
    hook.interval = 3
    shrink_loaders(cfg)
    cfg.model.num_neighbors = 5
    if 'kmeans' in cfg.model:
        cfg.model.kmeans.num_clusters = 6
    embedder = cfg.model.embedder
    shrink_cast(embedder.backbone, SIDE, (12, 10, 8, 6))
    if 'CAST' in embedder.backbone.type:
        embedder.neck.update(
            in_channels=WIDTH, hid_channels=32, out_channels=16)
    return cfg


def save_pretraining(name, root):
    """Save random weights of the pre-training that a config tests."""
    if 'dinov' in name:
        path = root / 'dino.pth'
        save_weights(path, convert_dino_checkpoint(
            released_dino(name.split('dinov')[1][0], WIDTH, 2, 96, 5, 4)
        ).state_dict)
        return path
    recipe = name.replace('_retrieval_voc12-512', '_coco')
    cfg = shrink(load_config(ROOT / f'configs/{recipe}.py'))
    torch.manual_seed(3)
    model = MODELS.build(cfg.model)
    model.init_weights()
    path = root / f'{recipe.replace("/", "_")}.pth'
    save_weights(path, model.state_dict())
    return path
