"""Configs of HSG, shrunk for the data of helpers.oversegmentation_data.

Crops and images are not square, and folders stay as they are.
"""

from .configs import HSG_CONFIGS, load_config
from .dense import shrink_run

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
    'mmhierseg.ResizeOwnSize': dict(longer_side=96),
}


def shrink_hsg(path):
    """Read a config and shrink it: two iterations, then validation.

    Its ResNet-18 has a sixteenth of the channels, and the recipe's strides.
    """
    cfg = shrink_run(load_config(path), _TRANSFORMS, scheduler=0)
    hook, = cfg.custom_hooks
    hook.dataloader.update(num_workers=0, persistent_workers=False)
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader, hook.dataloader):
        if 'num_scenes' in loader.dataset:
            loader.dataset.num_scenes = 8
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
    return cfg
