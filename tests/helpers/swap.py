"""CAST in configs of MMSegmentation, shrunk as in helpers.dense."""

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhierseg.registry import MODELS

from .configs import SWAP_CONFIGS, WIDTH, load_config, shrink_cast
from .dense import CROP, shrink_run

#: Where windows of a tiny crop begin.
STRIDE = (32, 48)
SWAP_PATHS = {path.stem: path for path in SWAP_CONFIGS}
MASK2FORMER = 'cast-s_mask2former_ade20k-512x512'
#: Configs that MMSegmentation alone suffices for.
SWAPS = sorted(set(SWAP_PATHS) - {MASK2FORMER})
#: Width of CAST-S, wherever a neck or a head names it.
_WIDTH_OF_CAST_S = 384


def without_scopes(node):
    """Plain dicts and lists of a config, without what MMEngine adds."""
    if isinstance(node, (dict, Config)):
        return {
            key: without_scopes(value)
            for key, value in node.items() if key != '_scope_'
        }
    if isinstance(node, (list, tuple)):
        return list(map(without_scopes, node))
    return node


def shrink_swap(path):
    """Read a config and shrink it: two iterations, then validation."""
    cfg = shrink_run(load_config(path))
    model = cfg.model
    model.data_preprocessor.size = CROP
    shrink_cast(model.backbone, CROP, (8, 6, 4, 2))
    for key in ('neck', 'decode_head', 'auxiliary_head'):
        if model.get(key) is not None:
            model[key] = _with_width(model[key])
    for key in ('decode_head', 'auxiliary_head'):
        if 'channels' in model.get(key, {}):
            model[key].channels = 16
    head = model.decode_head
    if head.type == 'Mask2FormerHead':
        head.num_queries = 8
        head.pixel_decoder.encoder.num_layers = 1
        head.transformer_decoder.num_layers = 3
    if model.test_cfg.mode == 'slide':
        model.test_cfg.update(crop_size=CROP, stride=STRIDE)
    if len(cfg.param_scheduler) == 2:
        cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = 1
    return cfg


def build_swap(name, seed=0):
    """The tiny model of a config, on the CPU."""
    cfg = shrink_swap(SWAP_PATHS[name])
    init_default_scope(cfg.default_scope)
    torch.manual_seed(seed)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    model.init_weights()
    return model.eval()


def batch_for(model, sizes, seed=0):
    """Images of sizes (h, w) as a loader gives them, with ground truth.

    If the model computes no superpixels, they come along.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs, samples = [], []
    for height, width in sizes:
        image = torch.randint(
            0, 256, (3, height, width), generator=generator).float()
        if model.data_preprocessor.superpixels is None:
            rows = torch.arange(height) // 16
            columns = torch.arange(width) // 16
            labels = rows[:, None] * (columns[-1] + 1) + columns
            image = torch.cat([image, labels[None].float()])
        target = torch.randint(
            0, model.num_classes, (1, height, width), generator=generator)
        inputs.append(image)
        samples.append(
            SegDataSample(
                metainfo=dict(
                    img_shape=(height, width), ori_shape=(height, width)),
                gt_sem_seg=PixelData(data=target)))
    return dict(inputs=inputs, data_samples=samples)


def _with_width(node):
    """The same with the tiny width in the place of CAST-S's."""
    if isinstance(node, dict):
        return type(node)({k: _with_width(v) for k, v in node.items()})
    if isinstance(node, (list, tuple)):
        return type(node)(map(_with_width, node))
    return WIDTH if node == _WIDTH_OF_CAST_S else node
