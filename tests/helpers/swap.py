"""CAST in configs of MMSegmentation, shrunk as in helpers.dense."""

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


def _with_width(node):
    """The same with the tiny width in the place of CAST-S's."""
    if isinstance(node, dict):
        return type(node)({k: _with_width(v) for k, v in node.items()})
    if isinstance(node, (list, tuple)):
        return type(node)(map(_with_width, node))
    return WIDTH if node == _WIDTH_OF_CAST_S else node
