"""Configs of retrieval, shrunk as in helpers.configs, and their weights."""

import torch

from mmhierseg.registry import MODELS

from .configs import (
    RETRIEVAL_CONFIGS,
    ROOT,
    SIDE,
    WIDTH,
    load_config,
    shrink,
)

RETRIEVAL_PATHS = {
    f'{path.parent.name}/{path.stem}': path for path in RETRIEVAL_CONFIGS
}


def shrink_loaders(cfg):
    """Shrink the images of the bank and of the test, in place."""
    hook, = cfg.custom_hooks
    for loader in (cfg.test_dataloader, cfg.val_dataloader, hook.dataloader):
        loader.num_workers = 0
        loader.pop('persistent_workers', None)
        for dataset in loader.dataset.get('datasets', [loader.dataset]):
            dataset.pipeline[1].scale = (96, 96)


def shrink_retrieval(path, num_neighbors=5):
    """Read a config and shrink it to the sizes of `helpers.configs`."""
    cfg = load_config(path)
    hook, = cfg.custom_hooks
    hook.interval = 3
    shrink_loaders(cfg)
    cfg.model.num_neighbors = num_neighbors
    if 'kmeans' in cfg.model:
        cfg.model.kmeans.num_clusters = 6
    embedder = cfg.model.embedder
    backbone = embedder.backbone
    backbone.img_size = SIDE
    if 'CAST' in backbone.type:
        pools = bool(backbone.num_clusters)
        backbone.arch = dict(
            embed_dims=WIDTH, depths=(1, ) * (4 if pools else 1), num_heads=4)
        backbone.num_clusters = (12, 10, 8, 6) if pools else ()
        embedder.neck.update(
            in_channels=WIDTH, hid_channels=32, out_channels=16)
    else:
        backbone.arch = dict(
            embed_dims=WIDTH, num_layers=2, num_heads=4,
            feedforward_channels=96)
    return cfg


def save_pretraining(name, root):
    """Save random weights of the pre-training that a config tests.

    Returns:
        Path: The checkpoint.
    """
    recipe = name.replace('_retrieval_voc12-512', '_coco')
    cfg = shrink(load_config(ROOT / f'configs/{recipe}.py'))
    torch.manual_seed(3)
    model = MODELS.build(cfg.model)
    model.init_weights()
    path = root / f'{recipe.replace("/", "_")}.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path
