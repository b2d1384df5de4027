"""Configs of segmentors, shrunk for the data of helpers.segmentation_data.

Crops and images are not square.
"""

from .configs import (
    DENSE_CONFIGS,
    WIDTH,
    has_cast,
    load_config,
    save_pretrained,
    shrink_cast,
    shrink_steps,
)

#: (height, width) of a tiny crop, and of the images that it is cut from.
CROP = (48, 64)
DENSE_PATHS = {
    f'{path.parent.name}/{path.stem}': path for path in DENSE_CONFIGS
}
_TRANSFORMS = dict(
    RandomResize=dict(scale=(96, 64)),
    RandomChoiceResize=dict(scales=[48, 64], max_size=128),
    RandomCrop=dict(crop_size=CROP),
    Pad=dict(size=CROP[::-1]),
    Resize=dict(scale=(96, 64)))
# MMCV's takes (width, height).
_TRANSFORMS.update({
    'Pad': dict(size=CROP[::-1]),
    'mmhierseg.ResizeOwnSize': dict(longer_side=96)})


def shrink_dense(path):
    """Read a config and shrink it: two iterations, then validation."""
    cfg = shrink_run(load_config(path))
    model = cfg.model
    model.data_preprocessor.size = CROP
    shrink_cast(model.backbone, CROP)
    model.decode_head.in_channels = WIDTH
    for key, value in (('channels', WIDTH), ('num_heads', 4)):
        if key in model.decode_head:
            model.decode_head[key] = value
    if model.test_cfg.mode == 'slide':
        model.test_cfg.update(crop_size=CROP, stride=(32, 48))
    return cfg


def shrink_run(cfg, transforms=_TRANSFORMS, scheduler=-1):
    """Two iterations of two tiny images, then validation; in place."""
    shrink_steps(cfg._cfg_dict, transforms)
    for field in ('train', 'val', 'test'):
        cfg[f'{field}_dataloader'].update(
            num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 2
    cfg.param_scheduler[scheduler].end = cfg.train_cfg.max_iters = 2
    cfg.train_cfg.val_interval = 2
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = 1
    return cfg


def save_dense_pretrained(cfg, root):
    """Save random weights for a shrunk config to start from; returns them.

    Like those of pre-training, they have positions of a smaller image, and
    lack the parts that pre-training does not have.
    """
    options = dict(img_size=32)
    if has_cast(cfg):
        deit = 'deit' in cfg.model.backbone.init_cfg.checkpoint
        options['out_type'] = 'cls_token' if deit else 'avg_segments'
    return save_pretrained(cfg, root, **options)
