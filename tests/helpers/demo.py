"""Models, checkpoints and images for inference."""

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmhierseg.registry import MODELS

from .cast import TINY, shake_statistics
from .hsg_configs import HSG_PATHS, shrink_hsg

#: Model of a tiny CAST that is evaluated by retrieval.
CAST_RETRIEVAL = dict(
    type='mmhierseg.RetrievalSegmentor',
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        superpixels=dict(type='Grid', segment_size=8)),
    embedder=dict(
        type='mmhierseg.SegmentEmbedder',
        backbone=dict(type='mmhierseg.CAST', out_type='segments', **TINY),
        neck=dict(
            type='mmpretrain.NonLinearNeck', in_channels=48, hid_channels=32,
            out_channels=16, num_layers=2, with_avg_pool=False,
            norm_cfg=dict(type='BN1d'))),
    num_classes=3)


def picture(height, width, seed=0):
    """(H, W, 3) uint8, RGB: smooth coloured noise, so segments differ."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height)))


def hsg_config(name='hsg_r18_scenes-96x96'):
    """Config of a tiny HSG, of images whose shorter side is 64 pixels."""
    cfg = shrink_hsg(HSG_PATHS[name])
    cfg.model.kmeans_clusters = (2, 3)
    cfg.hierarchy_inferencer = dict(img_size=64)
    return cfg


def save_models(folder):
    """Save weights of HSG and a CAST of retrieval; returns their configs."""
    configs = dict(
        hsg=hsg_config(),
        cast=Config(
            dict(model=CAST_RETRIEVAL,
                 hierarchy_inferencer=dict(img_size=64))))
    for name, cfg in configs.items():
        save_weights(cfg.model, folder / f'{name}.pth')
    return configs


def save_weights(model, path, seed=3):
    """Initialise the model of a config, and save its weights.

    Statistics of batch normalisation are those of long training.
    """
    init_default_scope('mmseg')
    torch.manual_seed(seed)
    built = shake_statistics(MODELS.build(model))
    torch.save(dict(state_dict=built.state_dict(), meta={}), path)
    return built.eval()
