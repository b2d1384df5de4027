"""Configs of HSG, shrunk for the data of helpers.oversegmentation_data.

Crops and images are not square, and folders stay as they are.
"""

from .configs import HSG_CONFIGS, load_config, shrink_steps

HSG_PATHS = {path.stem: path for path in HSG_CONFIGS}
#: (height, width) of a tiny crop.
CROP = (96, 128)
WIDTH = 16
_TRANSFORMS = {
    'RandomResize': dict(scale=(160, 128)),
    'mmseg.RandomCrop': dict(crop_size=CROP),
    # MMCV's takes (width, height).
    'Pad': dict(size=CROP[::-1]),
    'Resize': dict(scale=(96, 96)),
}


def shrink_hsg(path):
    """Read a config and shrink it.

    Args:
        path (Path): Of the config.

    Returns:
        Config: Two iterations of two images, then validation. Its ResNet-18
        has a sixteenth of the channels, and the strides of the recipe.
    """
    cfg = load_config(path)
    shrink_steps(cfg._cfg_dict, _TRANSFORMS)
    loaders = [cfg[f'{field}_dataloader'] for field in ('train', 'val',
                                                        'test')]
    hook, = cfg.custom_hooks
    for loader in [*loaders, hook.dataloader]:
        loader.num_workers = 0
        loader.pop('persistent_workers', None)
        if 'num_scenes' in loader.dataset:
            loader.dataset.num_scenes = 8
    cfg.train_dataloader.batch_size = 2
    model = cfg.model
    if 'test_cfg' in model.data_preprocessor:
        model.data_preprocessor.test_cfg.size = (96, 96)
    model.backbone.update(
        depth=18, base_channels=4, stem_channels=4, multi_grid=(1, 4))
    model.neck.update(in_channels=32, out_channels=WIDTH)
    model.head.update(
        in_channels=WIDTH,
        embed_dims=WIDTH,
        kmeans_clusters=tuple(
            min(side, 2) for side in model.head.kmeans_clusters))
    model.update(num_neighbors=5, kmeans_clusters=(3, 4))
    cfg.param_scheduler[0].end = cfg.train_cfg.max_iters = 2
    cfg.train_cfg.val_interval = 2
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = 1
    return cfg
